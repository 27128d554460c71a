SELECT ts
FROM reading
WHERE meter_key = $1
ORDER BY ts DESC
LIMIT 1
