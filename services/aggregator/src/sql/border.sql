-- Below it raw rows may be gone; buckets that start too near to it are final.
SELECT border
FROM retention_border
