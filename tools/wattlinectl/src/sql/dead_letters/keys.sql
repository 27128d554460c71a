-- In the order of the index dead_letter_open, as far as it goes.
SELECT source_topic, source_topic_id, source_partition, source_offset, received_at, octet_length(payload) AS payload_bytes
FROM dead_letter
{where}
ORDER BY received_at, source_topic, source_partition, source_offset, source_topic_id
LIMIT {limit}
{lock}
