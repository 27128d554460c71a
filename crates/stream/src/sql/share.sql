SELECT partition, next_offset
FROM stream_offset
WHERE consumer = $1 AND topic = $2 AND partition = ANY ($3) AND owner = $4
ORDER BY partition
FOR SHARE
