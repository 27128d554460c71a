SELECT meter_key, (SELECT ts FROM reading r WHERE r.meter_key = wanted.meter_key ORDER BY ts DESC LIMIT 1) AS newest
FROM unnest($1::int[]) AS wanted (meter_key)
