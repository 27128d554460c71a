-- What became of each record, by the sink: a table of its own, so that `stream_offset` has what every consumer has.
-- For every row, after any crash:
--   next_offset - first_offset = stored + merged + duplicate + conflict + dead_lettered + lost - retracted
CREATE TABLE sink_outcome (
    consumer      text NOT NULL DEFAULT 'timescale-sink' CHECK (consumer = 'timescale-sink'),
    topic         text NOT NULL,
    partition     integer NOT NULL,
    first_offset  bigint NOT NULL,
    next_offset   bigint NOT NULL,
    stored        bigint NOT NULL DEFAULT 0,
    merged        bigint NOT NULL DEFAULT 0,
    duplicate     bigint NOT NULL DEFAULT 0,
    conflict      bigint NOT NULL DEFAULT 0,
    dead_lettered bigint NOT NULL DEFAULT 0,
    lost          bigint NOT NULL DEFAULT 0,
    -- Records that had an outcome and that Kafka then lost itself: their offsets are given a second time.
    retracted     bigint NOT NULL DEFAULT 0,
    -- Of `stored`: readings stamped on arrival, redelivered, that may be a second copy.
    possible_duplicate bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition),
    FOREIGN KEY (consumer, topic, partition) REFERENCES stream_offset ON DELETE CASCADE,
    CONSTRAINT every_record_has_one_outcome CHECK (
        next_offset - first_offset = stored + merged + duplicate + conflict + dead_lettered + lost - retracted)
);
INSERT INTO sink_outcome (topic, partition, first_offset, next_offset, stored, merged, duplicate, conflict,
    dead_lettered, lost, possible_duplicate)
SELECT topic, partition, first_offset, next_offset, stored, merged, duplicate, conflict, dead_lettered, lost,
    possible_duplicate
FROM stream_offset WHERE consumer = 'timescale-sink';

ALTER TABLE stream_offset DROP CONSTRAINT every_record_has_one_outcome;
ALTER TABLE stream_offset
    -- How many partitions the topic had when the row was taken first: with more, a meter's records are in two of them.
    ADD COLUMN partitions integer,
    -- Why the partition must not be read on; only a person's decision clears it.
    ADD COLUMN refused text;
COMMENT ON COLUMN stream_offset.stored IS 'Until the sinks of the version before are gone, as the other counters; now in sink_outcome.';

-- An offset that is set back, or an account that begins elsewhere, by a person: Kafka has lost records that had an outcome.
CREATE FUNCTION sink_outcome_retracts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    UPDATE sink_outcome o
    SET first_offset = NEW.first_offset, next_offset = NEW.next_offset,
        retracted = o.retracted + (o.next_offset - o.first_offset) - (NEW.next_offset - NEW.first_offset)
    WHERE o.topic = NEW.topic AND o.partition = NEW.partition;
    RETURN NULL;
END $$;
CREATE TRIGGER sink_outcome_retracts AFTER UPDATE ON stream_offset FOR EACH ROW
    WHEN (NEW.consumer = 'timescale-sink'
        AND (NEW.next_offset < OLD.next_offset OR NEW.first_offset <> OLD.first_offset))
    EXECUTE FUNCTION sink_outcome_retracts();

-- No offset of the sink moves without its outcomes, whatever the order of the statements in a transaction.
CREATE FUNCTION every_record_is_accounted_for() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
BEGIN
    IF EXISTS (SELECT FROM stream_offset s LEFT JOIN sink_outcome o USING (topic, partition)
               WHERE s.consumer = 'timescale-sink' AND s.topic = NEW.topic AND s.partition = NEW.partition
               AND (s.first_offset, s.next_offset) IS DISTINCT FROM (o.first_offset, o.next_offset)) THEN
        RAISE EXCEPTION 'sink_outcome does not account for all records of partition % of %', NEW.partition, NEW.topic
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'every_record_is_accounted_for';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER every_record_is_accounted_for
    AFTER INSERT OR UPDATE OF first_offset, next_offset ON stream_offset
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.consumer = 'timescale-sink')
    EXECUTE FUNCTION every_record_is_accounted_for();

-- The bridge to sinks of the version before, which write and read the counters of `stream_offset`: each table takes over
-- what is written to the other. It goes with those columns.
CREATE FUNCTION sink_outcome_from_offset() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
BEGIN
    UPDATE sink_outcome
    SET next_offset = NEW.next_offset, stored = NEW.stored, merged = NEW.merged, duplicate = NEW.duplicate,
        conflict = NEW.conflict, dead_lettered = NEW.dead_lettered, lost = NEW.lost,
        possible_duplicate = NEW.possible_duplicate
    WHERE topic = NEW.topic AND partition = NEW.partition;
    IF NOT FOUND THEN
        INSERT INTO sink_outcome (topic, partition, first_offset, next_offset, stored, merged, duplicate, conflict,
            dead_lettered, lost, possible_duplicate)
        VALUES (NEW.topic, NEW.partition, NEW.first_offset, NEW.next_offset, NEW.stored, NEW.merged, NEW.duplicate,
            NEW.conflict, NEW.dead_lettered, NEW.lost, NEW.possible_duplicate);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sink_outcome_from_new_offset AFTER INSERT ON stream_offset FOR EACH ROW
    WHEN (NEW.consumer = 'timescale-sink') EXECUTE FUNCTION sink_outcome_from_offset();
CREATE TRIGGER sink_outcome_from_offset AFTER UPDATE ON stream_offset FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND NEW.consumer = 'timescale-sink'
        AND (NEW.stored, NEW.merged, NEW.duplicate, NEW.conflict, NEW.dead_lettered, NEW.lost, NEW.possible_duplicate)
        IS DISTINCT FROM
        (OLD.stored, OLD.merged, OLD.duplicate, OLD.conflict, OLD.dead_lettered, OLD.lost, OLD.possible_duplicate))
    EXECUTE FUNCTION sink_outcome_from_offset();

CREATE FUNCTION offset_from_sink_outcome() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
BEGIN
    UPDATE stream_offset
    SET stored = NEW.stored, merged = NEW.merged, duplicate = NEW.duplicate, conflict = NEW.conflict,
        dead_lettered = NEW.dead_lettered, lost = NEW.lost, possible_duplicate = NEW.possible_duplicate
    WHERE consumer = 'timescale-sink' AND topic = NEW.topic AND partition = NEW.partition;
    RETURN NULL;
END $$;
CREATE TRIGGER offset_from_sink_outcome AFTER UPDATE ON sink_outcome FOR EACH ROW
    WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION offset_from_sink_outcome();
