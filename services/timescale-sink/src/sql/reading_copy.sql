COPY {table} (meter_key, ts, received_at, ts_source, {measures}, register_epoch) FROM STDIN (FORMAT binary)
