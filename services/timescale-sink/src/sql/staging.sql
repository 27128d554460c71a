-- Where rows wait for INSERT … ON CONFLICT.
CREATE TEMP TABLE wattline_staging (LIKE reading) ON COMMIT DELETE ROWS
