SELECT r.id, r.meter_key, m.meter_id, r.reason,
    greatest(r.from_ts, '2001-09-09 01:46:40+00') AS from_ts,
    CASE WHEN r.to_ts <= now() + interval '1 day' THEN r.to_ts
        -- This clock may be far behind the readings': what is there is computed, whatever the day is.
        ELSE least(r.to_ts, greatest(now(),
            (SELECT max(ts) FROM reading WHERE meter_key = r.meter_key),
            (SELECT max(bucket) FROM energy_15m WHERE meter_key = r.meter_key)) + interval '1 day')
    END AS to_ts
FROM recompute r JOIN meter m USING (meter_key)
WHERE r.id > $1
ORDER BY r.id
LIMIT $2
