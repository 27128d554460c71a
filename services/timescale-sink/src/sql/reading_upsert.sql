INSERT INTO reading
SELECT *
FROM wattline_staging
ON CONFLICT (meter_key, ts) DO UPDATE SET {excluded_measures}, register_epoch = excluded.register_epoch
