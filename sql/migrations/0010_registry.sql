-- What the pipeline knows of a meter: mqtt-ingest its route and family and what the route says, timescale-sink what its
-- readings say. Both say it again, so what a crash lost comes back.
ALTER TABLE meter
    ADD COLUMN family      text,
    ADD COLUMN max_power_w double precision CHECK (max_power_w > 0),
    ADD COLUMN expected_s  integer CHECK (expected_s > 0);
COMMENT ON COLUMN meter.route IS 'Topic filter of the route that its messages came by, last told by mqtt-ingest.';
COMMENT ON COLUMN meter.family IS 'Device family that decodes them (docs/formats.md).';
COMMENT ON COLUMN meter.max_power_w IS 'The most that it can take or give, in W, where its route says so.';
COMMENT ON COLUMN meter.expected_s IS 'Usual distance of its readings in s: the middle of the last five, written when it is another by half.';
COMMENT ON COLUMN meter.resolution_wh IS 'The largest power of ten that divides all steps of its import register, in Wh.';
COMMENT ON COLUMN meter.settings IS 'Waits for overrides of the energy rules per meter; nothing reads or writes it yet.';
