//! A wrong password, an unreachable broker, an unreachable Kafka: each is said with what to do, and the service waits.

use crate::fixture::{Ingest, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named() {
    let world = quiet("password").await;
    let mut config = world.config();
    config.mqtt.password_file = Some(world.stack.mqtt_password_file("meters"));
    let ingest = Ingest::begin(config);
    ingest.until("the setting is named", || ingest.missing().contains("mqtt.password_file")).await;
    assert!(ingest.missing().contains("\"ingest\""), "{}", ingest.missing());
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_is_named() {
    let world = quiet("unreachable").await;
    let mut config = world.config();
    config.mqtt.url = "mqtt://127.0.0.1:1".to_owned();
    let ingest = Ingest::begin(config);
    let named = || ingest.missing().contains("mqtt://127.0.0.1:1") && ingest.missing().contains("mqtt.url");
    ingest.until("the address is named", named).await;
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_kafka_is_named_and_nothing_is_taken() {
    let world = quiet("no-kafka").await;
    let mut config = world.config();
    config.kafka.brokers = "127.0.0.1:1".to_owned();
    let ingest = Ingest::begin(config);
    let named = || ingest.missing().contains("127.0.0.1:1") && ingest.missing().contains("kafka.brokers");
    ingest.until("the address is named", named).await;
    assert_eq!(ingest.sum("connections_total"), 0);
    ingest.stop().await.unwrap();
}
