UPDATE stream_offset
SET refused = $4, refused_end = $5, updated_at = now()
WHERE consumer = $1 AND topic = $2 AND partition = $3
