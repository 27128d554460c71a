SELECT source_topic, source_topic_id, source_partition, source_offset, reason, detail, first_reason, mqtt_topic,
       record_key, route, retained, octet_length(payload) AS payload_bytes, received_at, stored_at, state, state_at, state_detail, attempts, attempted_at,
       readings, mqtt_broker, payload
FROM dead_letter
WHERE source_topic = $1 AND source_partition = $2 AND source_offset = $3 AND source_topic_id = coalesce($4, source_topic_id)
ORDER BY received_at DESC
