SELECT count(*) AS found
FROM meter
WHERE meter_key = ANY ($1)
