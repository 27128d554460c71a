-- A partition that is new in a topic that is known has the number of partitions that the others had: that stops it too.
INSERT INTO stream_offset
    (consumer, topic, partition, first_offset, next_offset, owner, cluster_id, topic_id, partitions)
SELECT $1, $2, $3, $4, $4, $5, $6, $7,
    coalesce((SELECT max(partitions) FROM stream_offset WHERE consumer = $1 AND topic = $2 AND topic_id = $7), $8)
ON CONFLICT DO NOTHING
