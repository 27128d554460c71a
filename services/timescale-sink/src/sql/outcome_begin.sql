-- $3: records found lost just now; the partition's offset is behind them already.
INSERT INTO sink_outcome AS o (topic, partition, first_offset, next_offset, lost)
SELECT topic, partition, first_offset, first_offset + $3, $3
FROM stream_offset
WHERE consumer = 'timescale-sink' AND topic = $1 AND partition = $2
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = o.next_offset + $3, lost = o.lost + $3
RETURNING topic, partition, first_offset, next_offset, stored, merged, duplicate, conflict, dead_lettered, absent, lost,
    retracted, possible_duplicate
