SELECT bucket, import_wh, export_wh, import_coverage_ms, export_coverage_ms, import_quality, export_quality,
       power_min_w, power_avg_w, power_max_w, reading_count
FROM energy_15m
WHERE meter_key = $1 AND bucket >= $2 AND bucket < $3
ORDER BY bucket
