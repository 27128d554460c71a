SELECT r.id, r.meter_key, m.meter_id, r.reason,
    greatest(r.from_ts, '2001-09-09 01:46:40+00') AS from_ts, least(r.to_ts, now() + interval '1 day') AS to_ts
FROM recompute r JOIN meter m USING (meter_key)
WHERE r.id > $1
ORDER BY r.id
LIMIT $2
