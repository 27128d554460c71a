-- A mark that isn't given stays the one of a record before, which is as good.
UPDATE stream_offset s
SET next_offset = d.next_offset, updated_at = now(),
    mark_offset = coalesce(d.mark_offset, s.mark_offset), mark_ms = coalesce(d.mark_ms, s.mark_ms)
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS d (topic, partition, next_offset, mark_offset, mark_ms)
WHERE s.consumer = $1 AND s.topic = d.topic AND s.partition = d.partition
