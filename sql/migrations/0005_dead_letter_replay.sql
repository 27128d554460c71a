-- What came of a dead letter. `state` is the outcome of its newest replay: 'open' (it is refused, or was never
-- replayed), 'replayed' (its readings are in the readings topic), 'ignored' (today's routes have nothing to store of it).
ALTER TABLE dead_letter
    ADD COLUMN attempts     integer NOT NULL DEFAULT 0,
    ADD COLUMN attempted_at timestamptz,
    -- `reason` is the newest; this is what ingest said, where that is another word.
    ADD COLUMN first_reason text,
    -- Of 'ignored': the word why.
    ADD COLUMN state_detail text,
    -- Of 'replayed': how many readings went to Kafka.
    ADD COLUMN readings     integer CHECK (readings > 0);
ALTER TABLE dead_letter DROP CONSTRAINT dead_letter_state_check;
ALTER TABLE dead_letter ADD CONSTRAINT dead_letter_state_check
    CHECK (state IN ('open', 'replayed', 'ignored', 'purged'));
COMMENT ON COLUMN dead_letter.state_at IS 'Since when it is in this state; NULL: since it is stored.';

-- A replay goes through the open ones in this order, a page at a time.
CREATE INDEX dead_letter_open ON dead_letter (received_at, source_topic, source_partition, source_offset)
    WHERE state = 'open';
-- A topic has up to 64 KiB, an index entry at most 2.7 KB: only the beginning is indexed.
CREATE INDEX dead_letter_mqtt_topic ON dead_letter (left(mqtt_topic, 200) text_pattern_ops, received_at);
CREATE INDEX dead_letter_route ON dead_letter (left(route, 200), received_at);
