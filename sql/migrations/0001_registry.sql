-- Who is measured. Every other table names a meter by `meter_key`: 4 bytes in place of up to 128.
CREATE TABLE meter (
    meter_key     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter_id      text NOT NULL UNIQUE CHECK (length(meter_id) BETWEEN 1 AND 128),
    first_seen    timestamptz NOT NULL DEFAULT now(),
    last_seen     timestamptz NOT NULL DEFAULT now(),
    route         text,
    -- Smallest step of the meter's registers, where it is known.
    resolution_wh double precision CHECK (resolution_wh > 0),
    -- Overrides of the constants of docs/energy.md, by their names.
    settings      jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE meter IS 'Registry of measuring points; rows are made by timescale-sink on first sight.';
