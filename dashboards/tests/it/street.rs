//! A week of a simulated street, sent to the broker and taken through the services: what the pictures are of.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use wattline_dashboards::expand::View;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::Publisher;
use wattline_loadtest::street::{self, StreetOptions};
use wattline_localstack::poll_until;
use wattline_reading::Timestamp;
use wattline_tests::system::System;

use crate::monitored::Monitored;
use crate::view;

const HOMES: u32 = 8;
const DAYS: i64 = 8;
const DAY_MS: i64 = 86_400_000;
const PATIENCE: Duration = Duration::from_secs(300);
static LIVED: OnceCell<()> = OnceCell::const_new();

/// The street's database, as Grafana's role, and what its dashboards are asked: the last hours until now.
pub(crate) struct Street {
    pub(crate) client: Client,
    end: DateTime<Utc>,
    routes: Vec<String>,
    reasons: Vec<String>,
}

/// The street that the system has seen; sent by who comes first.
pub(crate) async fn street(monitored: &Monitored) -> Street {
    let system = &monitored.system;
    LIVED.get_or_init(|| async { live(system).await.unwrap_or_else(|error| panic!("{error:#}")) }).await;
    let stack = &system.stack;
    let client = crate::seeded::open(&stack.database_url_as("wattline_grafana")).await;
    let routes = words(&client, "SELECT DISTINCT route FROM meter WHERE route IS NOT NULL ORDER BY 1").await;
    let reasons = words(&client, "SELECT DISTINCT reason FROM dead_letter ORDER BY 1").await;
    // A second before a quarter-hour begins: sums are of whole quarter-hours.
    let quarter_us = 900_000_000;
    let now_us = Timestamp::now().micros();
    let end = Timestamp::from_micros(now_us - now_us.rem_euclid(quarter_us) - 1_000_000).to_chrono();
    Street { client, end, routes, reasons }
}

async fn words(client: &Client, sql: &str) -> Vec<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn live(system: &System) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let broker = system.target()?.broker;
    let options = StreetOptions { homes: HOMES, interval_ms: 10_000, history_ms: DAYS * DAY_MS, seed: 7 };
    let homes = tokio::spawn(street::run(broker, options, stop.clone()));
    publish_devices(system).await?;
    let client = system.target()?.connect().await?;
    let settled = poll_until("a week of the street", PATIENCE, Duration::from_millis(500), async || {
        let row = client.query_one(SETTLED, &[&i64::from(HOMES)]).await?;
        Ok(row.get::<_, bool>(0).then_some(()))
    });
    settled.await?;
    stop.cancel();
    homes.await.context("the street's task")?
}

/// Each home's newest reading is of the last minute, and what is stored is computed.
const SETTLED: &str = "SELECT (SELECT count(*) = $1 FROM meter JOIN LATERAL (SELECT ts FROM reading r
        WHERE r.meter_key = meter.meter_key ORDER BY ts DESC LIMIT 1) newest ON newest.ts > now() - INTERVAL '1 minute'
        WHERE meter_id LIKE 'home-%')
    AND NOT EXISTS (SELECT FROM recompute)
    AND NOT EXISTS (SELECT FROM stream_offset s JOIN stream_offset a USING (topic, partition)
        WHERE s.consumer = 'timescale-sink' AND a.consumer = 'aggregator' AND a.next_offset + 200 < s.next_offset)";

/// Devices that people own, beside the street: their families and routes are in the registry, and one has a wrong clock.
async fn publish_devices(system: &System) -> anyhow::Result<()> {
    let now_s = Timestamp::now().micros() / 1_000_000;
    let message = |topic: &str, payload: String| Message {
        topic: topic.into(),
        payload: payload.into_bytes(),
        first_of: None,
    };
    let shelly = |ts_s: i64, total_wh: i64| {
        let status = format!(r#""switch:0":{{"apower":61.5,"aenergy":{{"total":{total_wh}}}}}"#);
        message(
            "fridge/events/rpc",
            format!(r#"{{"method":"NotifyStatus","params":{{"ts":{ts_s},{status}}}}}"#),
        )
    };
    let mut messages: Vec<Message> =
        (0..30).map(|minute| shelly(now_s - 60 * (30 - minute), 1_000 + minute)).collect();
    messages.extend([
        message("tele/boiler/SENSOR", r#"{"ENERGY":{"Total":321.5,"Power":1890}}"#.to_owned()),
        message("zigbee2mqtt/washer", r#"{"power":420,"energy":77.1,"voltage":231}"#.to_owned()),
        message("solar/116183/0/power", "1240.5".to_owned()),
        message("solar/116183/0/yieldtotal", "4321.125".to_owned()),
        message("wattline/cellar/reading", format!(r#"{{"ts":{},"power_w":12}}"#, now_s + 7200)),
        message("garage/door/state", "open".to_owned()),
    ]);
    let broker = system.target()?.broker;
    let mut publisher = Publisher::new(broker, "devices".to_owned(), Arc::default());
    let never = CancellationToken::new();
    publisher.publish(&mut messages.into_iter(), Pace::unlimited(), &never).await?;
    publisher.close().await;
    Ok(())
}

// === impl Street ===

impl Street {
    /// The last `hours`, of these meters.
    pub(crate) fn last(&self, hours: i64, homes: &[&str]) -> View {
        let mut view = view::until(self.end, hours, homes);
        view.values.insert("route".to_owned(), self.routes.clone());
        view.values.insert("reason".to_owned(), self.reasons.clone());
        view
    }
}
