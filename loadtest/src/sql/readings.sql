SELECT reading.ts, ts_source::text, power_w, energy_import_wh, energy_export_wh, voltage_v, current_a, power_factor,
       frequency_hz, soc_pct, phase_power_w, phase_voltage_v, phase_current_a
FROM reading JOIN meter USING (meter_key)
WHERE meter_id = $1
ORDER BY reading.ts
