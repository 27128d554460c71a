SELECT coalesce(sum(next_offset - first_offset), 0)::bigint AS records
FROM stream_offset
WHERE consumer = 'timescale-sink'
