SELECT m.place, e.bucket, e.import_wh, e.export_wh, e.import_coverage_ms, e.export_coverage_ms,
    e.import_quality, e.export_quality, e.power_min_w, e.power_avg_w, e.power_max_w, e.reading_count
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[]) AS m (place, meter_key, from_ts, to_ts)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM energy_15m e
    WHERE e.meter_key = m.meter_key AND e.bucket >= m.from_ts AND e.bucket < m.to_ts
        AND e.bucket >= $5 AND e.bucket < $6) e
