SELECT mqtt_topic, payload, reason, count(*) AS letters
FROM dead_letter
WHERE mqtt_topic LIKE $1
GROUP BY mqtt_topic, payload, reason
