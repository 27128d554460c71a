-- One role per service, least rights. Applied at the end of every `wattlinectl migrate`; safe to repeat.
DO $$
DECLARE role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['wattline_sink', 'wattline_aggregator', 'wattline_api', 'wattline_grafana',
                                    'wattline_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role_name);
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public
    TO wattline_sink, wattline_aggregator, wattline_api, wattline_grafana, wattline_operator;

GRANT SELECT, INSERT, UPDATE ON meter TO wattline_sink;
GRANT SELECT, INSERT, UPDATE ON reading TO wattline_sink;
GRANT SELECT, INSERT ON reading_conflict TO wattline_sink;
GRANT SELECT, INSERT, UPDATE ON stream_offset, sink_outcome TO wattline_sink;
GRANT SELECT, INSERT ON dead_letter TO wattline_sink;
GRANT SELECT ON retention_border TO wattline_sink;

GRANT SELECT ON meter, reading, retention_border TO wattline_aggregator;
GRANT SELECT, INSERT, UPDATE ON stream_offset TO wattline_aggregator;
-- Each consumer moves its own offsets only; who may read the table sees all of it. What is there is left alone, for a change
-- takes the table's lock; a dump that was restored where a role was missing lacks its policy.
DO $$
DECLARE policy record;
BEGIN
    FOR policy IN SELECT * FROM (VALUES
        ('seen_by_all', 'FOR SELECT USING (true)'),
        ('own_of_sink', 'TO wattline_sink USING (consumer = ''timescale-sink'')'),
        ('own_of_aggregator', 'TO wattline_aggregator USING (consumer = ''aggregator'')')) AS wanted (name, what)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'stream_offset'::regclass AND polname = policy.name) THEN
            EXECUTE format('CREATE POLICY %I ON stream_offset %s', policy.name, policy.what);
        END IF;
    END LOOP;
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = 'stream_offset'::regclass) THEN
        ALTER TABLE stream_offset ENABLE ROW LEVEL SECURITY;
    END IF;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON energy_15m, recompute TO wattline_aggregator;

GRANT SELECT ON meter, reading, reading_conflict, stream_offset, sink_outcome, retention_border, energy_15m, energy_1h,
        recompute
    TO wattline_api, wattline_grafana;
GRANT SELECT ON dead_letter TO wattline_grafana;

-- `wattlinectl dead-letters` and `wattlinectl audit`. What a letter said, where it came from and when, stays as it is.
GRANT SELECT, DELETE ON dead_letter TO wattline_operator;
GRANT UPDATE (reason, detail, route, state, state_at, attempts, attempted_at, first_reason, state_detail, readings)
    ON dead_letter TO wattline_operator;
GRANT SELECT ON meter, reading, stream_offset, sink_outcome, retention_border, energy_15m, recompute TO wattline_operator;
-- `wattlinectl offsets`, by these functions only; what a decision leaves to compute is noted.
GRANT EXECUTE ON FUNCTION adopt_offsets, adopt_partitions, reset_offsets TO wattline_operator;
GRANT INSERT ON recompute TO wattline_operator;

ALTER ROLE wattline_sink SET statement_timeout = '60s';
ALTER ROLE wattline_aggregator SET statement_timeout = '60s';
ALTER ROLE wattline_api SET statement_timeout = '10s';
ALTER ROLE wattline_api SET default_transaction_read_only = on;
ALTER ROLE wattline_grafana SET statement_timeout = '30s';
ALTER ROLE wattline_grafana SET default_transaction_read_only = on;
ALTER ROLE wattline_operator SET statement_timeout = '300s';
-- A replay that is frozen holds its page of letters no longer than this.
ALTER ROLE wattline_operator SET idle_in_transaction_session_timeout = '300s';
