-- The readings next to a range, before and after it, of the register whose column stands for {register}.
(SELECT ts, {register} AS wh
 FROM reading
 WHERE meter_key = $1 AND ts < $2 AND ts >= $3 AND {register} IS NOT NULL
 ORDER BY ts DESC
 LIMIT 1)
UNION ALL
(SELECT ts, {register} AS wh
 FROM reading
 WHERE meter_key = $1 AND ts >= $4 AND ts <= $5 AND {register} IS NOT NULL
 ORDER BY ts
 LIMIT 1)
