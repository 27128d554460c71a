SELECT topic, partition, next_offset, owner
FROM stream_offset JOIN unnest($2::text[], $3::int[]) AS wanted (topic, partition) USING (topic, partition)
WHERE consumer = $1
ORDER BY topic, partition
FOR UPDATE OF stream_offset
