SELECT border
FROM retention_border
