SELECT reset_offsets($1, $2, $3) AS count
