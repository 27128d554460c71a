-- How far a meter's clock is off. Arrival less the device's time is the clock's offset and the way's delay together;
-- their smallest sum of the last minutes is the best that can be said, as a late reading only adds to it.
ALTER TABLE meter
    ADD COLUMN clock_offset_ms   bigint,
    ADD COLUMN clock_measured_at timestamptz,
    ADD CONSTRAINT clock_is_measured CHECK (num_nulls(clock_offset_ms, clock_measured_at) IN (0, 2));
COMMENT ON COLUMN meter.clock_offset_ms IS 'Arrival less device time, in ms, at least: negative where the device runs ahead. NULL: it has sent no time.';
