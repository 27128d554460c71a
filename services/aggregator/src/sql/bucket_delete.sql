DELETE FROM energy_15m e
USING unnest($1::int[], $2::timestamptz[]) AS u (meter_key, bucket)
WHERE e.meter_key = u.meter_key AND e.bucket = u.bucket
