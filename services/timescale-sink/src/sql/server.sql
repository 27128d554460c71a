SELECT pg_backend_pid() AS pid, pg_postmaster_start_time() AS started
