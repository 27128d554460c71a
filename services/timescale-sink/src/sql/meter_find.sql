SELECT meter_id, meter_key, last_seen, expected_s, round(resolution_wh * 1000)::bigint AS resolution_mwh
FROM meter
WHERE meter_id = ANY ($1)
