SELECT
FROM reading r
WHERE r.meter_key = $1
  AND r.ts >= coalesce($2::timestamptz, '-infinity') AND r.ts < coalesce($3::timestamptz, 'infinity')
  AND r.ts > coalesce($4::timestamptz, '-infinity') AND r.ts < coalesce($5::timestamptz, 'infinity')
LIMIT 1
