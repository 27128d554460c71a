INSERT INTO reading_conflict
    (source_topic, source_partition, source_offset, meter_key, ts, received_at, kept, refused)
SELECT topic, partition, "offset", meter_key, ts, received_at, kept::jsonb, refused::jsonb
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[])
    AS c (topic, partition, "offset", meter_key, ts, received_at, kept, refused)
ON CONFLICT DO NOTHING
