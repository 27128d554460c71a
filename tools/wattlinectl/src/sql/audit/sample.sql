-- Random meters, a random day of each.
SELECT m.meter_key, m.meter_id, d.ts AS first_ts, d.ts + interval '1 day' AS last_ts
FROM (SELECT * FROM meter ORDER BY random() LIMIT $1) m
CROSS JOIN LATERAL (
    SELECT a.ts + random() * (z.ts - a.ts) AS ts
    FROM (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts LIMIT 1) a,
         (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts DESC LIMIT 1) z) d
