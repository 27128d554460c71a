-- The bounds let the server leave out the chunks that hold none of the keys.
SELECT r.meter_key, r.ts, r.received_at, r.ts_source::text AS ts_source, {measures}, r.register_epoch
FROM unnest($1::int[], $2::timestamptz[]) AS wanted (meter_key, ts) JOIN reading r USING (meter_key, ts)
WHERE r.ts BETWEEN $3 AND $4
