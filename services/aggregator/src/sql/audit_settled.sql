SELECT NOT EXISTS (SELECT FROM recompute)
    AND NOT EXISTS (
        SELECT
        FROM stream_offset s LEFT JOIN stream_offset a
            ON a.consumer = 'aggregator' AND a.topic = s.topic AND a.partition = s.partition
        WHERE s.consumer = 'timescale-sink' AND s.topic = $1 AND coalesce(a.next_offset, 0) < s.next_offset) AS settled
