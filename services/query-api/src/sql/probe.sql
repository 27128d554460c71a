SELECT FROM meter, reading, energy_15m, stream_offset LIMIT 0
