UPDATE recompute r
SET from_ts = u.from_ts
FROM unnest($1::bigint[], $2::timestamptz[]) AS u (id, from_ts)
WHERE r.id = u.id
