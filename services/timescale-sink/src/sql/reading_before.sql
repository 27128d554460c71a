SELECT meter_key, ts, received_at, ts_source::text AS ts_source, {measures}, register_epoch
FROM reading
WHERE meter_key = ANY ($1) AND ts >= $2 AND ts < $3
