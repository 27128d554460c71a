UPDATE stream_offset
SET lost = lost + $4
WHERE consumer = $1 AND topic = $2 AND partition = $3
