SELECT consumer, topic, partition, next_offset, cluster_id, topic_id, partitions, refused, refused_end, updated_at
FROM stream_offset
ORDER BY topic, partition, consumer
