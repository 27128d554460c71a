-- The aggregator has passed these offsets, and has nothing left to do for these meters.
SELECT NOT EXISTS (SELECT FROM recompute WHERE meter_key = ANY($4)) AND NOT EXISTS (
    SELECT FROM unnest($2::int[], $3::bigint[]) AS g(partition, next_offset)
    LEFT JOIN stream_offset a ON a.consumer = 'aggregator' AND a.topic = $1 AND a.partition = g.partition
    WHERE coalesce(a.next_offset, 0) < g.next_offset) AS is_there
