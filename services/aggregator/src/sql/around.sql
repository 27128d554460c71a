-- Around changed rows: the readings next to them, and those next to the quarter-hours that they touch; of the register
-- whose column stands for {register}. A range without a reading of the register touches nothing of it and gives no row.
-- OFFSET 0 keeps that from being found out again for each neighbour.
SELECT m.place, p.ts AS before, n.ts AS after, e.ts AS edge_before, e.wh AS edge_before_wh,
    f.ts AS edge_after, f.wh AS edge_after_wh
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::bool[])
    AS m (place, meter_key, first_ts, last_ts, always)
CROSS JOIN LATERAL (
    SELECT m.always OR EXISTS (
        SELECT FROM reading r
        WHERE r.meter_key = m.meter_key AND r.ts >= $7
            AND r.ts BETWEEN m.first_ts AND m.last_ts AND r.{register} IS NOT NULL) AS touched
    OFFSET 0) t
LEFT JOIN LATERAL (
    SELECT r.ts
    FROM reading r
    WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
        AND r.ts < m.first_ts AND r.ts >= m.first_ts - make_interval(secs => $6) AND r.{register} IS NOT NULL
    ORDER BY r.ts DESC
    LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT r.ts
    FROM reading r
    WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
        AND r.ts > m.last_ts AND r.ts <= m.last_ts + interval '35 days' AND r.{register} IS NOT NULL
    ORDER BY r.ts
    LIMIT 1) n ON true
CROSS JOIN LATERAL (
    SELECT date_bin('15 minutes', coalesce(p.ts, m.first_ts), 'epoch') AS begins,
        date_bin('15 minutes', coalesce(n.ts - interval '1 us', m.last_ts), 'epoch') + interval '15 minutes' AS ends) b
LEFT JOIN LATERAL (
    SELECT r.ts, r.{register} AS wh
    FROM reading r
    WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
        AND r.ts < b.begins AND r.ts >= b.begins - make_interval(secs => $6) AND r.{register} IS NOT NULL
    ORDER BY r.ts DESC
    LIMIT 1) e ON true
LEFT JOIN LATERAL (
    SELECT r.ts, r.{register} AS wh
    FROM reading r
    WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
        AND r.ts >= b.ends AND r.ts <= b.ends + interval '35 days' AND r.{register} IS NOT NULL
    ORDER BY r.ts
    LIMIT 1) f ON true
WHERE t.touched
