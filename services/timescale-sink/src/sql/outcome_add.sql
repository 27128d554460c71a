UPDATE sink_outcome o
SET next_offset = s.next_offset, stored = o.stored + d.stored, merged = o.merged + d.merged,
    duplicate = o.duplicate + d.duplicate, conflict = o.conflict + d.conflict,
    dead_lettered = o.dead_lettered + d.dead_lettered, absent = o.absent + d.absent,
    possible_duplicate = o.possible_duplicate + d.possible_duplicate
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::bigint[])
        AS d (topic, partition, stored, merged, duplicate, conflict, dead_lettered, absent, possible_duplicate)
    JOIN stream_offset s ON s.consumer = 'timescale-sink' AND s.topic = d.topic AND s.partition = d.partition
WHERE o.topic = d.topic AND o.partition = d.partition
RETURNING o.topic, o.partition, o.first_offset, o.next_offset, o.stored, o.merged, o.duplicate, o.conflict,
    o.dead_lettered, o.absent, o.lost, o.retracted, o.possible_duplicate
