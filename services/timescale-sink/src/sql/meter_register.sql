-- DO NOTHING would not give the key of a meter that another sink registered a moment ago.
INSERT INTO meter AS m (meter_id, first_seen, last_seen)
SELECT *
FROM unnest($1::text[], $2::timestamptz[], $2::timestamptz[])
ON CONFLICT (meter_id) DO UPDATE SET last_seen = greatest(m.last_seen, excluded.last_seen)
RETURNING meter_id, meter_key, last_seen, expected_s, round(resolution_wh * 1000)::bigint AS resolution_mwh,
    xmax = 0 AS is_new
