-- Lists of lists can't be unnested: coverage comes as eight columns, quality as words between commas.
INSERT INTO energy_15m (meter_key, bucket, import_wh, export_wh, import_coverage_ms, export_coverage_ms,
    import_quality, export_quality, power_min_w, power_avg_w, power_max_w, reading_count)
SELECT meter_key, bucket, import_wh, export_wh, ARRAY[i1, i2, i3, i4], ARRAY[e1, e2, e3, e4],
    string_to_array(iq, ','), string_to_array(eq, ','), power_min_w, power_avg_w, power_max_w, reading_count
FROM unnest($1::int[], $2::timestamptz[], $3::float8[], $4::float8[],
    $5::int[], $6::int[], $7::int[], $8::int[], $9::int[], $10::int[], $11::int[], $12::int[],
    $13::text[], $14::text[], $15::float8[], $16::float8[], $17::float8[], $18::int[])
    AS u (meter_key, bucket, import_wh, export_wh, i1, i2, i3, i4, e1, e2, e3, e4, iq, eq,
         power_min_w, power_avg_w, power_max_w, reading_count)
ON CONFLICT (meter_key, bucket) DO UPDATE SET
    import_wh = excluded.import_wh, export_wh = excluded.export_wh,
    import_coverage_ms = excluded.import_coverage_ms, export_coverage_ms = excluded.export_coverage_ms,
    import_quality = excluded.import_quality, export_quality = excluded.export_quality,
    power_min_w = excluded.power_min_w, power_avg_w = excluded.power_avg_w, power_max_w = excluded.power_max_w,
    reading_count = excluded.reading_count
