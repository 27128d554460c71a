SELECT r.meter_key, r.ts, r.received_at, r.ts_source = 'device' AS has_device_time, {measures}, r.register_epoch
FROM reading r
WHERE r.meter_key = $1
ORDER BY r.ts DESC
LIMIT $2
