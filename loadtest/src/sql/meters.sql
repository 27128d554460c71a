-- Those that were registered last, with readings.
SELECT meter_id
FROM meter
WHERE EXISTS (SELECT FROM reading WHERE reading.meter_key = meter.meter_key)
ORDER BY meter_key DESC
LIMIT 200
