SELECT meter_key, meter_id
FROM meter
