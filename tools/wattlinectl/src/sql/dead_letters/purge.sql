-- A letter that a replay holds at this moment stays.
DELETE FROM dead_letter
WHERE (source_topic, source_topic_id, source_partition, source_offset) IN (
    SELECT source_topic, source_topic_id, source_partition, source_offset
    FROM dead_letter
    {where}
    LIMIT {limit}
    FOR UPDATE SKIP LOCKED)
