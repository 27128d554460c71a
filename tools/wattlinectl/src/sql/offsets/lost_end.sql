-- Where Kafka ended when a consumer of the partition found that out first.
SELECT min(refused_end) AS lost_end FROM stream_offset WHERE topic = $1 AND partition = $2
