-- $3: where Kafka ends, or ended when the loss was found. Nobody who is before it moves.
UPDATE stream_offset s
SET first_offset = least(s.first_offset, $3), next_offset = least(s.next_offset, $3), refused = NULL, refused_end = NULL,
    updated_at = now()
FROM (SELECT consumer, next_offset FROM stream_offset WHERE topic = $1 AND partition = $2 FOR UPDATE) AS was
WHERE s.consumer = was.consumer AND s.topic = $1 AND s.partition = $2
RETURNING s.consumer, was.next_offset AS before, s.next_offset
