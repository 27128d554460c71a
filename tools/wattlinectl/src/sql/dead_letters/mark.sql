-- The first reason is kept where the newest is another.
UPDATE dead_letter d
SET state = m.state,
    state_at = CASE WHEN d.state = m.state AND m.state <> 'replayed' THEN d.state_at ELSE clock_timestamp() END,
    state_detail = m.state_detail,
    readings = m.readings,
    attempts = d.attempts + 1,
    attempted_at = clock_timestamp(),
    first_reason = CASE WHEN m.reason <> d.reason THEN coalesce(d.first_reason, d.reason) ELSE d.first_reason END,
    reason = coalesce(m.reason, d.reason),
    detail = coalesce(m.detail, d.detail),
    route = CASE WHEN m.reason IS NULL THEN d.route ELSE m.route END
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::text[],
        $10::text[])
    AS m(t, p, o, state, state_detail, readings, reason, detail, route, i)
WHERE d.source_topic = m.t AND d.source_topic_id = m.i AND d.source_partition = m.p AND d.source_offset = m.o
