-- What is given back was not there.
INSERT INTO dead_letter
    (source_topic, source_partition, source_offset, reason, detail, mqtt_topic, route, retained, record_key, payload,
     received_at, mqtt_broker)
SELECT *
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::bytea[],
    $10::bytea[], $11::timestamptz[], $12::text[])
ON CONFLICT DO NOTHING
RETURNING source_topic, source_partition, source_offset
