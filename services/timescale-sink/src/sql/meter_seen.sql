-- A meter whose readings have no time of the device keeps what was measured when they had; what isn't known stays.
UPDATE meter m
SET last_seen = greatest(last_seen, at),
    clock_offset_ms = coalesce(off_ms, clock_offset_ms),
    clock_measured_at = CASE WHEN off_ms IS NULL THEN clock_measured_at ELSE greatest(clock_measured_at, at) END,
    expected_s = coalesce(distance_s, expected_s),
    resolution_wh = coalesce(step_mwh / 1000.0, resolution_wh),
    route = coalesce(told_route, route),
    family = coalesce(told_family, family),
    max_power_w = CASE WHEN told_route IS NULL THEN max_power_w ELSE nullif(greatest(max_w, 0), 0) END
FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::float8[])
    AS seen (meter_key, at, off_ms, distance_s, step_mwh, told_route, told_family, max_w)
WHERE m.meter_key = seen.meter_key
    AND (last_seen < at OR distance_s IS NOT NULL OR step_mwh IS NOT NULL
        OR (told_route IS NOT NULL
            AND (told_route, told_family, max_w) IS DISTINCT FROM (route, family, max_power_w)))
