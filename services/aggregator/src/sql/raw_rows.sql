SELECT m.place, r.ts, r.energy_import_wh AS import_wh, r.energy_export_wh AS export_wh, r.power_w
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[]) AS m (place, meter_key, from_ts, to_ts)
CROSS JOIN LATERAL (
    SELECT r.ts, r.energy_import_wh, r.energy_export_wh, r.power_w
    FROM reading r
    WHERE r.meter_key = m.meter_key AND r.ts >= m.from_ts AND r.ts < m.to_ts AND r.ts >= $5 AND r.ts < $6
    ORDER BY r.ts) r
