SELECT partition, next_offset - first_offset + retracted AS records, stored, merged, duplicate, conflict, dead_lettered,
       absent, lost, next_offset
FROM sink_outcome
WHERE topic = $1
