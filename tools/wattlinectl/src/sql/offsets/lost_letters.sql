-- Their offsets are given again.
UPDATE dead_letter
SET source_topic_id = source_topic_id || '/lost-' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
WHERE source_topic = $1 AND source_topic_id = $2 AND source_partition = $3 AND source_offset >= $4
