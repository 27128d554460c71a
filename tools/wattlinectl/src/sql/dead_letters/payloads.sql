SELECT d.source_topic, d.source_partition, d.source_offset, d.mqtt_topic, d.record_key, d.retained, d.received_at,
       d.payload, d.mqtt_broker
FROM unnest($1::text[], $2::int[], $3::bigint[]) WITH ORDINALITY AS p(t, p, o, place)
JOIN dead_letter d ON d.source_topic = p.t AND d.source_partition = p.p AND d.source_offset = p.o
ORDER BY place
