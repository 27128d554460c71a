-- Offsets begin anew in a topic that is made anew, and after a log has lost its tail: what was put aside of the log before
-- must not be taken for what comes now. So the place in Kafka has the topic's id in it, as stream_offset knows it.
ALTER TABLE dead_letter ADD COLUMN source_topic_id text NOT NULL DEFAULT '';
ALTER TABLE reading_conflict ADD COLUMN source_topic_id text NOT NULL DEFAULT '';
UPDATE dead_letter d SET source_topic_id = s.topic_id
FROM stream_offset s
WHERE s.consumer = 'timescale-sink' AND s.topic = d.source_topic AND s.partition = d.source_partition;
UPDATE reading_conflict c SET source_topic_id = s.topic_id
FROM stream_offset s
WHERE s.consumer = 'timescale-sink' AND s.topic = c.source_topic AND s.partition = c.source_partition;
ALTER TABLE dead_letter
    DROP CONSTRAINT dead_letter_pkey,
    ADD PRIMARY KEY (source_topic, source_topic_id, source_partition, source_offset);
ALTER TABLE reading_conflict
    DROP CONSTRAINT reading_conflict_pkey,
    ADD PRIMARY KEY (source_topic, source_topic_id, source_partition, source_offset);
COMMENT ON COLUMN dead_letter.source_topic_id IS 'Kafka''s id of that very topic; with /lost-… behind it, Kafka no longer has the record and its offset is given again.';
COMMENT ON COLUMN reading_conflict.source_topic_id IS 'As in dead_letter.';
