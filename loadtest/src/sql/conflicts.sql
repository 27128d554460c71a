SELECT DISTINCT ts, (kept ->> 'power_w')::float8 AS kept_w, (refused ->> 'power_w')::float8 AS refused_w
FROM reading_conflict JOIN meter USING (meter_key)
WHERE meter_id = $1
