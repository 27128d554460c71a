//! A database whose contents are known, and its read-only role.

use std::collections::HashMap;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use wattline_dashboards::preview::Table;

use crate::monitored::monitored;
use crate::view::END;

const DATABASE: &str = "dashboards";
static SEEDED: OnceCell<()> = OnceCell::const_new();

/// Energy is 50 Wh × (hour of the day modulo 4, plus 1) in each quarter-hour of home-1: 12 kWh on each UTC day.
/// home-2 is the same but for one day without readings and one impossible quarter-hour; roof-1 feeds in.
const SEED: &str = "
INSERT INTO meter (meter_id, first_seen, last_seen, route, family, expected_s) VALUES
    ('home-1', '2026-10-01Z', '@END', '+/events/rpc', 'shelly', 60),
    ('home-2', '2026-10-01Z', '@END', 'tele/+/SENSOR', 'tasmota', 60),
    ('roof-1', '2026-10-01Z', '@END', 'solar/+/+/+', 'opendtu', 10),
    ('silent-1', '2026-10-01Z', '2026-11-08 04:00Z', 'tele/+/SENSOR', 'tasmota', 300),
    ('new-1', '2026-11-10 10:00Z', '2026-11-10 10:30Z', '+/events/rpc', 'shelly', NULL);
INSERT INTO energy_15m (meter_key, bucket, import_wh, export_wh, import_coverage_ms, export_coverage_ms,
    import_quality, power_min_w, power_avg_w, power_max_w, reading_count)
SELECT meter_key, bucket,
    CASE WHEN meter_id = 'roof-1' THEN 0 ELSE 50 * (extract(hour FROM bucket AT TIME ZONE 'UTC')::int % 4 + 1) END,
    CASE WHEN meter_id = 'roof-1' AND extract(hour FROM bucket AT TIME ZONE 'UTC') BETWEEN 8 AND 15 THEN 250 ELSE 0 END,
    CASE WHEN missing THEN '{0,0,0,900000}'::int[] ELSE '{900000,0,0,0}' END,
    CASE WHEN missing THEN '{0,0,0,900000}'::int[] ELSE '{900000,0,0,0}' END,
    CASE WHEN missing THEN '{gap}'::text[] ELSE '{}' END,
    100, 200 * (extract(hour FROM bucket AT TIME ZONE 'UTC')::int % 4 + 1), 900, CASE WHEN missing THEN 0 ELSE 15 END
FROM meter, generate_series('2026-10-10Z'::timestamptz, '2026-11-10 11:45Z', INTERVAL '15 minutes') AS bucket,
    LATERAL (SELECT meter_id = 'home-2' AND bucket >= '2026-11-05Z' AND bucket < '2026-11-06Z' AS missing) AS day
WHERE meter_id IN ('home-1', 'home-2', 'roof-1');
UPDATE energy_15m SET import_wh = 20000, import_quality = '{implausible}'
    WHERE bucket = '2026-11-09 03:00Z' AND meter_key = (SELECT meter_key FROM meter WHERE meter_id = 'home-2');
INSERT INTO reading (meter_key, ts, received_at, ts_source, power_w)
SELECT meter_key, ts, ts, 'device', 400 + 200 * sin(extract(epoch FROM ts) / 5000) FROM meter,
    (SELECT generate_series('2026-10-11Z'::timestamptz, '2026-11-09Z', INTERVAL '1 hour') AS ts UNION ALL
     SELECT generate_series('2026-11-09 10:00Z'::timestamptz, '@END', INTERVAL '1 minute')) AS instants
WHERE meter_id IN ('home-1', 'home-2');
INSERT INTO dead_letter (source_topic, source_partition, source_offset, reason, detail, mqtt_topic, retained, payload,
    received_at)
SELECT 'wattline.dead-letters.v1', 0, n, reason, detail, 'site/' || n % 7 || '/status', false, '\\x7b', at
FROM generate_series(0, 59) AS n,
    LATERAL (SELECT '@END'::timestamptz - n * n * INTERVAL '3 minutes' AS at) AS time,
    LATERAL (SELECT (ARRAY['malformed', 'no_route', 'ts_future'])[n % 3 + 1] AS reason,
        (ARRAY['a comma is missing at byte 17', 'no route matches this topic', '7 h ahead'])[n % 3 + 1] AS detail) AS why;
INSERT INTO reading_conflict (source_topic, source_partition, source_offset, meter_key, ts, received_at, noted_at, kept,
    refused)
SELECT 'wattline.readings.v1', 1, n, 1 + n % 2, '2026-11-10Z', '2026-11-10Z', '2026-11-10 10:00Z', '{}', '{}'
FROM generate_series(0, 4) AS n;
INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner, cluster_id, topic_id, stored,
    merged, duplicate, conflict, dead_lettered, lost)
SELECT 'timescale-sink', 'wattline.readings.v1', n, 0, 1106, gen_random_uuid(), 'c', 't', 1000, 50,
    50, 5, 1, 0 FROM generate_series(0, 3) AS n
UNION ALL SELECT 'aggregator', 'wattline.readings.v1', n, 0, 1100, gen_random_uuid(), 'c', 't', 0,
    0, 0, 0, 0, 0 FROM generate_series(0, 3) AS n;
INSERT INTO recompute (meter_key, from_ts, to_ts, reason) VALUES (1, '2026-11-01Z', '2026-11-02Z', 'replay'),
    (2, '2026-11-01Z', '2026-11-02Z', 'replay');
UPDATE meter SET clock_measured_at = last_seen, clock_offset_ms = CASE meter_id WHEN 'home-2' THEN -3600000
    WHEN 'silent-1' THEN 45000 ELSE 350 END;
UPDATE energy_15m SET import_quality = '{power}', import_coverage_ms = '{0,900000,0,0}'
    WHERE bucket BETWEEN '2026-11-07 02:00Z' AND '2026-11-07 03:00Z'
    AND meter_key = (SELECT meter_key FROM meter WHERE meter_id = 'home-1');
ANALYZE;
";

/// A connection as Grafana's role to the seeded database.
pub(crate) async fn connect() -> Client {
    let stack = &monitored().await.system.stack;
    SEEDED
        .get_or_init(|| async {
            let url = stack.create_database(DATABASE, None).await.unwrap();
            wattlinectl::migrate::run(&url).await.unwrap();
            open(&url).await.batch_execute(&SEED.replace("@END", END)).await.unwrap();
        })
        .await;
    open(&stack.database_url_of(DATABASE, "wattline_grafana")).await
}

pub(crate) async fn open(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// What a query gives: its columns' types by name, and its rows as text.
pub(crate) async fn run(client: &Client, sql: &str, name: &str) -> (HashMap<String, String>, Table) {
    let statement =
        client.prepare(sql).await.unwrap_or_else(|error| panic!("{name}: {}\n{sql}", cause(&error)));
    let types = statement.columns().iter();
    let types = types.map(|column| (column.name().to_owned(), column.type_().name().to_owned())).collect();
    let mut table = Table {
        columns: statement.columns().iter().map(|column| column.name().to_owned()).collect(),
        rows: Vec::new(),
    };
    let messages =
        client.simple_query(sql).await.unwrap_or_else(|error| panic!("{name}: {}\n{sql}", cause(&error)));
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            table.rows.push((0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect());
        }
    }
    (types, table)
}

fn cause(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}
