-- How far each consumer has come in each Kafka partition: the truth, written in the transaction of the rows
-- themselves. For every row of timescale-sink, after any crash:
--   next_offset - first_offset = stored + merged + duplicate + conflict + dead_lettered + lost
CREATE TABLE stream_offset (
    consumer      text NOT NULL,
    topic         text NOT NULL,
    partition     integer NOT NULL,
    first_offset  bigint NOT NULL,
    next_offset   bigint NOT NULL,
    -- Who holds the partition: one value per process start.
    owner         uuid NOT NULL,
    -- Kafka's cluster id and topic id: offsets of another cluster or of a recreated topic mean nothing.
    cluster_id    text NOT NULL,
    topic_id      text NOT NULL,
    stored        bigint NOT NULL DEFAULT 0,
    merged        bigint NOT NULL DEFAULT 0,
    duplicate     bigint NOT NULL DEFAULT 0,
    conflict      bigint NOT NULL DEFAULT 0,
    dead_lettered bigint NOT NULL DEFAULT 0,
    lost          bigint NOT NULL DEFAULT 0,
    -- Of `stored`: readings stamped on arrival, redelivered, that may be a second copy.
    possible_duplicate bigint NOT NULL DEFAULT 0,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition),
    CHECK (first_offset >= 0 AND next_offset >= first_offset),
    CONSTRAINT every_record_has_one_outcome CHECK (consumer <> 'timescale-sink' OR
        next_offset - first_offset = stored + merged + duplicate + conflict + dead_lettered + lost)
);

-- Messages that could not become readings, with the payload as it came. The Kafka source is the key, so a
-- record that is consumed twice is one row. Two kinds: MQTT messages that mqtt-ingest refused have an
-- `mqtt_topic`; records of the readings topic that timescale-sink refused have a `record_key` in its place, and
-- their payload is the record's value.
CREATE TABLE dead_letter (
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    reason           text NOT NULL,
    detail           text NOT NULL,
    mqtt_topic       text,
    record_key       bytea,
    route            text,
    retained         boolean NOT NULL,
    payload          bytea NOT NULL,
    received_at      timestamptz NOT NULL,
    stored_at        timestamptz NOT NULL DEFAULT now(),
    state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'purged')),
    state_at         timestamptz,
    PRIMARY KEY (source_topic, source_partition, source_offset),
    CHECK (num_nonnulls(mqtt_topic, record_key) = 1)
);
CREATE INDEX dead_letter_time ON dead_letter (received_at);
CREATE INDEX dead_letter_reason ON dead_letter (reason, received_at);
