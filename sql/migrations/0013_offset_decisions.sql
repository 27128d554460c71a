-- What only a person can decide of offsets, for `wattlinectl offsets`: the operator's role may call these and nothing else of
-- the kind. No offset moves forward by them.

-- By what a log is known again: the last record that was stored, and the time that Kafka gives for it. A log that has lost its
-- tail and was written on has another one there, however far it goes.
ALTER TABLE stream_offset
    ADD COLUMN mark_offset bigint,
    ADD COLUMN mark_ms bigint;
COMMENT ON COLUMN stream_offset.mark_offset IS 'The last record below next_offset of which mark_ms is known.';
COMMENT ON COLUMN stream_offset.mark_ms IS 'Its time in Kafka, in milliseconds since 1970.';

-- Kafka has lost records that were read: all consumers of the partition go on where it ended when the first of them found
-- out, or where it ends now if none was refused. What was put aside of the lost records keeps its place under another
-- topic id, for their offsets are given again.
CREATE FUNCTION adopt_offsets(of_topic text, of_partition integer, kafka_end bigint)
RETURNS TABLE (who text, before bigint, after bigint, put_aside bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    lost_end bigint;
    letters bigint;
    conflicts bigint;
    suffix CONSTANT text := '/lost-' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS');
BEGIN
    PERFORM FROM stream_offset WHERE topic = of_topic AND partition = of_partition ORDER BY consumer FOR UPDATE;
    -- A version before this one says it in words only.
    SELECT coalesce(min(coalesce(refused_end, substring(refused FROM 'Kafka ends at ([0-9]+)')::bigint))
        FILTER (WHERE refused IS NOT NULL), kafka_end) INTO lost_end
    FROM stream_offset WHERE topic = of_topic AND partition = of_partition;
    UPDATE dead_letter SET source_topic_id = source_topic_id || suffix
    WHERE source_topic = of_topic AND source_partition = of_partition AND source_offset >= lost_end
        AND source_topic_id IN (SELECT topic_id FROM stream_offset WHERE topic = of_topic AND partition = of_partition);
    GET DIAGNOSTICS letters = ROW_COUNT;
    UPDATE reading_conflict SET source_topic_id = source_topic_id || suffix
    WHERE source_topic = of_topic AND source_partition = of_partition AND source_offset >= lost_end
        AND source_topic_id IN (SELECT topic_id FROM stream_offset WHERE topic = of_topic AND partition = of_partition);
    GET DIAGNOSTICS conflicts = ROW_COUNT;
    RETURN QUERY
        UPDATE stream_offset s
        SET first_offset = least(s.first_offset, lost_end), next_offset = least(s.next_offset, lost_end),
            refused = NULL, refused_end = NULL, mark_offset = NULL, mark_ms = NULL,
            -- Nobody's: whoever runs claims it anew, for it may have read ahead in what is lost.
            owner = '00000000-0000-0000-0000-000000000000', updated_at = now()
        FROM (SELECT consumer, next_offset FROM stream_offset
              WHERE topic = of_topic AND partition = of_partition) AS was
        WHERE s.consumer = was.consumer AND s.topic = of_topic AND s.partition = of_partition
        RETURNING s.consumer, was.next_offset, s.next_offset, letters + conflicts;
END $$;

-- The topic has another number of partitions: it is read on all the same.
CREATE FUNCTION adopt_partitions(of_topic text, now_has integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE changed bigint;
BEGIN
    UPDATE stream_offset SET partitions = now_has, updated_at = now() WHERE topic = of_topic AND partitions <> now_has;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;

-- The topic was made anew: offsets of the one that Kafka no longer has are forgotten.
CREATE FUNCTION reset_offsets(of_topic text, present_cluster text, present_topic text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE deleted bigint;
BEGIN
    DELETE FROM stream_offset
    WHERE topic = of_topic AND (cluster_id, topic_id) <> (present_cluster, present_topic);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

REVOKE ALL ON FUNCTION adopt_offsets, adopt_partitions, reset_offsets FROM PUBLIC;
