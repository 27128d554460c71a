-- Raw rows before it may be gone: the sink refuses readings of that time.
SELECT border FROM retention_border
