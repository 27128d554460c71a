//! While Kafka is away nothing is acknowledged, memory stays bounded, nothing is dropped, and it catches up by itself.

use crate::fixture::{faulty, payload};

/// More than the window holds: the rest stays with the broker, whichever way it sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_kafka_holds_the_window_and_loses_nothing() {
    const COUNT: u64 = 1000;
    const WINDOW: u64 = 60;
    let world = faulty("frozen").await;
    let mut config = world.config();
    config.mqtt.receive_maximum = 100;
    config.window.messages_max = 60;
    config.produce.stalled_after_ms = 500;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    world.stack.kafka().freeze().await.unwrap();
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    ingest
        .until("it says that Kafka confirms nothing", || ingest.missing().contains("nothing was confirmed"))
        .await;
    assert!(ingest.sum("in_flight") <= WINDOW, "{}", ingest.door());
    assert_eq!(ingest.sum("acknowledged_total"), 0);
    assert!(ingest.sum("shed_total") >= 1, "more came than the window holds");
    ingest.assert_equation();
    world.stack.kafka().thaw().await.unwrap();
    world.readings_of_all(1000).await;
    ingest.until("nothing in flight", || ingest.sum("in_flight") == 0).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    ingest.assert_equation();
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_kafka_is_found_again() {
    const COUNT: u64 = 1000;
    let world = faulty("kafka-restart").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    world.stack.kafka().stop().await.unwrap();
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    ingest.until("all in flight", || ingest.sum("in_flight") == COUNT).await;
    ingest
        .until("it says that Kafka is away", || ingest.missing().contains("no broker can be reached"))
        .await;
    world.stack.kafka().start().await.unwrap();
    world.stack.kafka().wait_ready().await.unwrap();
    ingest.until_settled(COUNT).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    assert_eq!(ingest.sum("received_total"), COUNT, "nothing had to come again");
    ingest.stop().await.unwrap();
    let by_meter = world.readings_of_all(1000).await;
    assert!(by_meter.values().all(|readings| readings.len() == 1));
}
