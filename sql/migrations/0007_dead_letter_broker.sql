-- Brokers may have routes of their own: a replay decodes by those of the broker that the letter came by.
ALTER TABLE dead_letter ADD COLUMN mqtt_broker text;
COMMENT ON COLUMN dead_letter.mqtt_broker IS 'The name that mqtt-ingest has for the broker; NULL for refused records and letters of older versions.';
