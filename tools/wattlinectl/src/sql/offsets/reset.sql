-- Only offsets of a topic that Kafka no longer has under this name.
DELETE FROM stream_offset WHERE topic = $1 AND (cluster_id, topic_id) <> ($2, $3)
