-- One meter, from its first reading to its last.
SELECT m.meter_key, m.meter_id, a.ts AS first_ts, z.ts AS last_ts
FROM meter m
CROSS JOIN LATERAL (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts LIMIT 1) a
CROSS JOIN LATERAL (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts DESC LIMIT 1) z
WHERE m.meter_id = $1
