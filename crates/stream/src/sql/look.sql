SELECT first_offset, next_offset, cluster_id, topic_id, partitions, refused, mark_offset, mark_ms
FROM stream_offset
WHERE consumer = $1 AND topic = $2 AND partition = $3
FOR UPDATE
