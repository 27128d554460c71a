SELECT coalesce(array_agg(power_w ORDER BY power_w) FILTER (WHERE power_w IS NOT NULL), '{}') AS power_w,
       coalesce(array_agg(energy_import_wh ORDER BY energy_import_wh) FILTER (WHERE energy_import_wh IS NOT NULL), '{}')
           AS energy_import_wh,
       coalesce(array_agg(energy_export_wh ORDER BY energy_export_wh) FILTER (WHERE energy_export_wh IS NOT NULL), '{}')
           AS energy_export_wh,
       count(*) AS readings
FROM reading JOIN meter USING (meter_key)
WHERE meter_id = $1
