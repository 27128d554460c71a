SELECT meter_key AS key, meter_id AS id, first_seen, last_seen, clock_offset_ms, clock_measured_at, route, family,
       max_power_w, expected_s, resolution_wh
FROM meter
WHERE meter_id > $1 AND ($2 = '' OR meter_id ILIKE $2)
ORDER BY meter_id
LIMIT $3
