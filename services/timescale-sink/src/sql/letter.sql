-- What is given back was not there.
INSERT INTO dead_letter
    (source_topic, source_topic_id, source_partition, source_offset, reason, detail, mqtt_topic, route, retained,
     record_key, payload, received_at, mqtt_broker)
SELECT l.topic, s.topic_id, l.partition, l."offset", l.reason, l.detail, l.mqtt_topic, l.route, l.retained,
    l.record_key, l.payload, l.received_at, l.mqtt_broker
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::bytea[],
        $10::bytea[], $11::timestamptz[], $12::text[])
        AS l (topic, partition, "offset", reason, detail, mqtt_topic, route, retained, record_key, payload, received_at,
            mqtt_broker)
    JOIN stream_offset s ON s.consumer = 'timescale-sink' AND s.topic = l.topic AND s.partition = l.partition
ON CONFLICT DO NOTHING
RETURNING source_topic, source_partition, source_offset
