SELECT source_topic, source_topic_id, source_partition, source_offset, reason, detail, first_reason, mqtt_topic,
       record_key, route, retained, octet_length(payload) AS payload_bytes, received_at, stored_at, state, state_at, state_detail, attempts, attempted_at,
       readings, mqtt_broker
FROM dead_letter
{where}
ORDER BY received_at DESC, source_topic DESC, source_partition DESC, source_offset DESC
LIMIT {limit}
