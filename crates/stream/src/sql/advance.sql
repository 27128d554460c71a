UPDATE stream_offset s
SET next_offset = d.next_offset, updated_at = now()
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS d (topic, partition, next_offset)
WHERE s.consumer = $1 AND s.topic = d.topic AND s.partition = d.partition
