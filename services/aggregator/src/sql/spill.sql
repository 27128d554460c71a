-- A range that a row already holds is not written twice: nobody but us, the owner, works that row off.
INSERT INTO recompute (meter_key, from_ts, to_ts, reason)
SELECT s.meter_key, s.from_ts, s.to_ts, 'spill'
FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS s (meter_key, from_ts, to_ts)
WHERE NOT EXISTS (
    SELECT FROM recompute r WHERE r.meter_key = s.meter_key AND r.from_ts <= s.from_ts AND r.to_ts >= s.to_ts)
