//! Each server starts, talks, stops, dies, freezes and comes back with what it had.

use wattline_localstack::{ServerKind, Stack, StackOptions, is_free, rss_bytes};

use crate::clients::{
    consume, create_topic, freeze_and_thaw, leave_subscription, produce, publish, sql, waiting_message,
};

#[tokio::test]
async fn mosquitto_keeps_messages_through_restart_and_kill() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto])).await.unwrap();
    let broker = stack.mosquitto();
    leave_subscription(&stack, "ingest").await;
    publish(&stack, "meters", "one").await;

    broker.stop().await.unwrap();
    assert!(!broker.is_running() && is_free(broker.address().port()));
    broker.start().await.unwrap();
    broker.kill().await.unwrap();
    assert_eq!(broker.pid(), None);
    broker.start().await.unwrap();
    freeze_and_thaw(broker).await;

    assert_eq!(waiting_message(&stack, "ingest").await, "one");
}

#[tokio::test]
async fn kafka_keeps_records_through_kill_and_restart() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Kafka])).await.unwrap();
    let (broker, brokers) = (stack.kafka(), stack.kafka_brokers());
    create_topic(&brokers, "kept", 1).await;
    produce(&brokers, "kept", "one").await;

    broker.kill().await.unwrap();
    assert!(is_free(broker.address().port()));
    broker.start().await.unwrap();
    freeze_and_thaw(broker).await;
    broker.restart().await.unwrap();

    assert_eq!(consume(&brokers, "kept").await, "one");
    assert!(rss_bytes(broker.pid().unwrap()) > 50_000_000);
}

#[tokio::test]
async fn timescale_keeps_rows_through_kill_and_restart() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let (server, url) = (stack.timescale(), stack.database_url());
    let client = sql(&url).await;
    let create = "CREATE EXTENSION IF NOT EXISTS timescaledb;
        CREATE TABLE sample (ts timestamptz NOT NULL, power double precision);
        SELECT create_hypertable('sample', 'ts');
        INSERT INTO sample VALUES ('2026-11-20T10:00:00Z', 432.1)";
    client.batch_execute(create).await.unwrap();

    // With a connection open: neither way may wait for it.
    server.kill().await.unwrap();
    server.start().await.unwrap();
    let client = sql(&url).await;
    server.restart().await.unwrap();
    assert!(client.simple_query("SELECT 1").await.is_err(), "the old connection survived a restart");
    freeze_and_thaw(server).await;

    let row = sql(&url).await.query_one("SELECT power FROM sample", &[]).await.unwrap();
    assert!((row.get::<_, f64>(0) - 432.1).abs() < f64::EPSILON);
}
