UPDATE stream_offset SET partitions = $2, updated_at = now() WHERE topic = $1 AND partitions <> $2
