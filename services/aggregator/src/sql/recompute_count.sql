SELECT count(*) AS rows
FROM recompute
