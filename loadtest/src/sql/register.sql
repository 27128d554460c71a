INSERT INTO meter (meter_id) SELECT unnest($1::text[]) ON CONFLICT (meter_id) DO NOTHING
