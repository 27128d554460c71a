-- Asked 200 times a second, this is to cost as little as it can: its bounds leave chunks out, once a question.
SELECT wanted.place
FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS wanted (meter_id, ts, place)
JOIN meter USING (meter_id)
JOIN reading ON reading.meter_key = meter.meter_key AND reading.ts = wanted.ts
WHERE reading.ts BETWEEN $3 AND $4
