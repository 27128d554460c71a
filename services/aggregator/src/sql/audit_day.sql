SELECT bucket
FROM energy_15m
WHERE meter_key = $1 AND bucket >= $2
ORDER BY bucket
LIMIT 1
