SELECT d.source_topic, d.source_topic_id, d.source_partition, d.source_offset, d.mqtt_topic, d.record_key, d.retained, d.received_at,
       d.payload, d.mqtt_broker
FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) WITH ORDINALITY AS p(t, i, p, o, place)
JOIN dead_letter d ON d.source_topic = p.t AND d.source_topic_id = p.i AND d.source_partition = p.p AND d.source_offset = p.o
ORDER BY place
