-- What `wattlinectl offsets` and the sink need to account for every offset.
-- Offsets that hold no record, and never did or no longer do though Kafka keeps what is around them: markers of
-- transactions, records of aborted ones, what compaction took. They are an outcome, so that all offsets add up:
--   next_offset - first_offset =
--     stored + merged + duplicate + conflict + dead_lettered + absent + lost - retracted
ALTER TABLE sink_outcome
    ADD COLUMN absent bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT every_record_has_one_outcome,
    ADD CONSTRAINT every_record_has_one_outcome CHECK (next_offset - first_offset
        = stored + merged + duplicate + conflict + dead_lettered + absent + lost - retracted);
COMMENT ON COLUMN sink_outcome.absent IS 'Offsets without a record above what Kafka keeps: transaction markers, aborted, compacted.';

-- Where Kafka ended when a partition was refused because of a lost tail: what was written since then begins there.
ALTER TABLE stream_offset ADD COLUMN refused_end bigint;
