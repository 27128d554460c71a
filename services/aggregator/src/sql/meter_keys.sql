SELECT meter_id, meter_key
FROM meter
WHERE meter_id = ANY ($1)
