//! Promise: while the database is away every replica goes on answering, and says so; what only a person can cure makes it
//! not ready.

use serde_json::json;
use tokio::time::{Duration, Instant, sleep};
use wattline_localstack::{ServerKind, Stack, StackOptions};

use crate::fixture::{Api, PATIENCE, run_alone};

const METERS: &str = "{ meters(first: 1) { nodes { id } } }";

#[test]
fn a_replica_stays_ready_while_the_database_fails_over() {
    run_alone(async {
        let servers = [ServerKind::Kafka, ServerKind::Timescale];
        let stack = Stack::start(StackOptions::new().servers(&servers)).await.unwrap();
        wattlinectl::migrate::run(&stack.database_url()).await.unwrap();
        wattlinectl::topics::create(&stack.kafka_brokers(), 1).await.unwrap();
        let api = Api::start(&stack, |_| {}).await;
        let ready = &api.context.ready;

        stack.timescale().stop().await.unwrap();
        wait_until(|| ready.reduced().iter().any(|what| what.starts_with("database: "))).await;
        assert!(ready.is_ready(), "{:?}", ready.missing());
        let (code, message) = api.error(METERS, json!({})).await;
        assert!(code == "UNAVAILABLE" && message.contains("database"), "{code}: {message}");

        stack.timescale().start().await.unwrap();
        wait_until(|| ready.reduced().is_empty()).await;
        api.data(METERS, json!({})).await;

        let owner = wattline_service::DatabaseSettings { url: stack.database_url(), ..Default::default() };
        let owner = owner.connect("test").await.unwrap();
        owner.batch_execute("ALTER TABLE energy_15m RENAME TO elsewhere").await.unwrap();
        wait_until(|| !ready.is_ready()).await;
        assert!(ready.missing()[0].contains("wattlinectl migrate"), "{:?}", ready.missing());
        drop(api);
        stack.stop().await.unwrap();
    });
}

async fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
