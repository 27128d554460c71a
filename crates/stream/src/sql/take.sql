UPDATE stream_offset
SET owner = $4, next_offset = next_offset + $5, partitions = coalesce(partitions, $6), updated_at = now()
WHERE consumer = $1 AND topic = $2 AND partition = $3
RETURNING first_offset, next_offset
