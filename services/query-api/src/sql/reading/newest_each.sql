SELECT r.meter_key, r.ts, r.received_at, r.ts_source = 'device' AS has_device_time, {measures}, r.register_epoch
FROM unnest($1::int[]) key
CROSS JOIN LATERAL (SELECT * FROM reading WHERE meter_key = key ORDER BY ts DESC LIMIT 1) r
