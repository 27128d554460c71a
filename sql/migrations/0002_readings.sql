-- The raw readings: what one meter measured at one instant. SI units or watt-hours; registers are whole
-- milliwatt-hours, so a value is always k/1000 Wh.
CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TYPE ts_source AS ENUM ('device', 'arrival');

CREATE TABLE reading (
    meter_key        integer NOT NULL,
    ts               timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    ts_source        ts_source NOT NULL,
    power_w          double precision,
    energy_import_wh double precision,
    energy_export_wh double precision,
    voltage_v        double precision,
    current_a        double precision,
    power_factor     double precision,
    frequency_hz     double precision,
    -- One element a phase, L1 first; the three arrays have the same length.
    phase_power_w    double precision[],
    phase_voltage_v  double precision[],
    phase_current_a  double precision[],
    register_epoch   timestamptz,
    PRIMARY KEY (meter_key, ts)
);
SELECT create_hypertable('reading', 'ts', chunk_time_interval => INTERVAL '1 day', create_default_indexes => false);
COMMENT ON COLUMN reading.power_w IS 'Active power in W: + import (consumption), - export.';
COMMENT ON COLUMN reading.energy_import_wh IS 'Cumulative import register in Wh.';
COMMENT ON COLUMN reading.energy_export_wh IS 'Cumulative export register in Wh.';

-- The same instant with other values: the first stays in `reading`, this one is put aside whole.
CREATE TABLE reading_conflict (
    source_topic     text NOT NULL,
    source_partition integer NOT NULL,
    source_offset    bigint NOT NULL,
    meter_key        integer NOT NULL,
    ts               timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    noted_at         timestamptz NOT NULL DEFAULT now(),
    -- Both readings, with the names and units of `reading`.
    kept             jsonb NOT NULL,
    refused          jsonb NOT NULL,
    PRIMARY KEY (source_topic, source_partition, source_offset)
);
CREATE INDEX reading_conflict_meter ON reading_conflict (meter_key, ts);

-- Raw rows below the border may be gone. One row, which only moves forward.
CREATE TABLE retention_border (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    border   timestamptz NOT NULL
);
INSERT INTO retention_border (border) VALUES ('2001-09-09T01:46:40Z');

CREATE FUNCTION retention_border_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.border < OLD.border THEN
        RAISE EXCEPTION 'retention_border only moves forward: % is before %', NEW.border, OLD.border;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves_forward BEFORE UPDATE ON retention_border
    FOR EACH ROW EXECUTE FUNCTION retention_border_moves_forward();
