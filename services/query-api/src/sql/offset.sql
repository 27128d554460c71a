SELECT next_offset, cluster_id, topic_id
FROM stream_offset
WHERE consumer = $1 AND topic = $2 AND partition = $3
