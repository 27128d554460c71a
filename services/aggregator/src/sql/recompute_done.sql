DELETE FROM recompute
WHERE id = ANY ($1)
