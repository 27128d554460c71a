SELECT r.meter_key, r.ts, r.received_at, r.ts_source = 'device' AS has_device_time, {measures}, r.register_epoch
FROM reading r
WHERE r.meter_key = $1
  AND r.ts >= coalesce($2::timestamptz, '-infinity') AND r.ts < coalesce($3::timestamptz, 'infinity')
  AND r.ts > coalesce($4::timestamptz, '-infinity') AND r.ts < coalesce($5::timestamptz, 'infinity')
ORDER BY r.ts
LIMIT $6
