-- Energy per meter and quarter-hour in UTC: always equal to a recomputation from `reading`.
CREATE TABLE energy_15m (
    meter_key          integer NOT NULL,
    bucket             timestamptz NOT NULL,
    -- Wh, whole milliwatt-hours. NULL: nothing is known; 0: known to be nothing.
    import_wh          double precision,
    export_wh          double precision,
    -- Known time in ms, by the length of the register interval that it comes from:
    -- up to 15 min, 1 h, a day, longer (with their tolerances).
    import_coverage_ms integer[] NOT NULL CHECK (cardinality(import_coverage_ms) = 4),
    export_coverage_ms integer[] NOT NULL CHECK (cardinality(export_coverage_ms) = 4),
    import_quality     text[] NOT NULL DEFAULT '{}',
    export_quality     text[] NOT NULL DEFAULT '{}',
    power_min_w        double precision,
    power_avg_w        double precision,
    power_max_w        double precision,
    reading_count      integer NOT NULL,
    -- What a recomputation that starts at this bucket must know of the rows before it.
    state              jsonb,
    PRIMARY KEY (meter_key, bucket)
);
SELECT create_hypertable('energy_15m', 'bucket', chunk_time_interval => INTERVAL '30 days', create_default_indexes => false);

-- What must be recomputed, and why: the one way in for everything that changes buckets.
CREATE TABLE recompute (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter_key    integer NOT NULL REFERENCES meter,
    from_ts      timestamptz NOT NULL,
    to_ts        timestamptz NOT NULL,
    reason       text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    CHECK (from_ts <= to_ts)
);
CREATE INDEX recompute_meter ON recompute (meter_key, from_ts);

CREATE VIEW energy_1h AS
SELECT meter_key,
       time_bucket(INTERVAL '1 hour', bucket) AS bucket,
       sum(import_wh) AS import_wh,
       sum(export_wh) AS export_wh,
       -- Coverage counts the classes up to the hour's own limit.
       sum(import_coverage_ms[1] + import_coverage_ms[2]) AS import_covered_ms,
       sum(export_coverage_ms[1] + export_coverage_ms[2]) AS export_covered_ms,
       min(power_min_w) AS power_min_w,
       max(power_max_w) AS power_max_w,
       sum(reading_count) AS reading_count
FROM energy_15m
GROUP BY meter_key, time_bucket(INTERVAL '1 hour', bucket);
