(SELECT ts, power_w, energy_import_wh, energy_export_wh
 FROM reading
 WHERE meter_key = $1
 ORDER BY ts DESC
 LIMIT $2)
UNION
SELECT r.*
FROM generate_series($3::timestamptz, $4::timestamptz, INTERVAL '15 min') edge
CROSS JOIN LATERAL (SELECT ts, power_w, energy_import_wh, energy_export_wh
                    FROM reading
                    WHERE meter_key = $1 AND ts > edge - INTERVAL '15 min' AND ts <= edge
                    ORDER BY ts DESC
                    LIMIT 1) r
ORDER BY ts
