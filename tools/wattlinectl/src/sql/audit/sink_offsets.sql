SELECT partition, next_offset
FROM stream_offset
WHERE consumer = 'timescale-sink' AND topic = $1
