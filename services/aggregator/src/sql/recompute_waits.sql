SELECT EXISTS (SELECT FROM recompute WHERE meter_key = $1) AS waits
