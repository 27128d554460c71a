//! Three Kafka brokers: one may be gone. And Kafka behind proxies: clients can be cut off while it runs on.

use std::time::Duration;

use wattline_localstack::{ServerKind, Stack, StackOptions};

use crate::clients::{consume, create_topic, produce};

#[tokio::test]
async fn three_brokers_go_on_without_one() {
    let options = StackOptions::new().servers(&[ServerKind::Kafka]).kafka_brokers(3);
    let stack = Stack::start(options).await.unwrap();
    assert_eq!(stack.kafka_brokers().split(',').count(), 3);
    create_topic(&stack.kafka_brokers(), "shared", 3).await;

    stack.kafka_broker(2).kill().await.unwrap();
    produce(&stack.kafka_brokers(), "shared", "while one is gone").await;
    stack.kafka_broker(2).start().await.unwrap();
    stack.kafka_broker(1).kill().await.unwrap();

    assert_eq!(consume(&stack.kafka_brokers(), "shared").await, "while one is gone");
}

#[tokio::test]
async fn kafka_behind_a_cut_proxy_is_reached_directly() {
    let options = StackOptions::new().servers(&[ServerKind::Kafka]).kafka_through_proxy(true);
    let stack = Stack::start(options).await.unwrap();
    let proxied = stack.kafka_brokers();
    create_topic(&proxied, "proxied", 1).await;

    stack.kafka_proxies()[0].cut();
    produce(&stack.kafka_brokers_direct(), "proxied", "past the proxy").await;
    let through = tokio::time::timeout(Duration::from_secs(2), consume(&proxied, "proxied")).await;
    assert!(through.is_err(), "a record came through a cut proxy");

    stack.kafka_proxies()[0].restore();
    assert_eq!(consume(&proxied, "proxied").await, "past the proxy");
}
