INSERT INTO reading_conflict
    (source_topic, source_topic_id, source_partition, source_offset, meter_key, ts, received_at, kept, refused)
SELECT c.topic, s.topic_id, c.partition, c."offset", c.meter_key, c.ts, c.received_at, c.kept::jsonb, c.refused::jsonb
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[])
        AS c (topic, partition, "offset", meter_key, ts, received_at, kept, refused)
    JOIN stream_offset s ON s.consumer = 'timescale-sink' AND s.topic = c.topic AND s.partition = c.partition
ON CONFLICT DO NOTHING
