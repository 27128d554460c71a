-- A battery's state of charge. The rows that are there have none; a sink of the version before writes none.
ALTER TABLE reading ADD COLUMN soc_pct double precision;
COMMENT ON COLUMN reading.soc_pct IS 'State of charge of a battery in %, 0 to 100.';
