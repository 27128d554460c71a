SET timescaledb.enable_runtime_exclusion = off
