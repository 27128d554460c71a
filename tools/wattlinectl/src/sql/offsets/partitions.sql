SELECT adopt_partitions($1, $2) AS count
