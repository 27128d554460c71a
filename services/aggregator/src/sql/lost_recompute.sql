-- Nobody can say what lost records changed: each meter of their partition, from its first row to its last.
INSERT INTO recompute (meter_key, from_ts, to_ts, reason)
SELECT m.key, a.ts, z.ts, 'records_lost'
FROM unnest($1::int[]) AS m (key)
CROSS JOIN LATERAL (SELECT ts FROM reading WHERE meter_key = m.key ORDER BY ts LIMIT 1) a
CROSS JOIN LATERAL (SELECT ts FROM reading WHERE meter_key = m.key ORDER BY ts DESC LIMIT 1) z
