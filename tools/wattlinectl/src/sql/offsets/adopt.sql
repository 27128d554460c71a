SELECT who, before, after, put_aside FROM adopt_offsets($1, $2, $3)
