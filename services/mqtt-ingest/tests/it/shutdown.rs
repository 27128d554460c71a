//! A stop finishes what was taken, within its deadline, and leaves the session with the broker.

use std::time::{Duration, Instant};

use crate::fixture::{faulty, payload, quiet, sum};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_and_doubles_nothing() {
    const COUNT: u64 = 5000;
    let world = quiet("stop").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    let publishing = tokio::spawn({
        let messages: Vec<_> = (0..COUNT).map(|meter| (world.topic(meter), payload(meter))).collect();
        async move { publisher.publish(messages).await }
    });
    ingest.until("some forwarded", || ingest.settled() > 100).await;
    let (context, begin) = (ingest.context.clone(), Instant::now());
    ingest.stop().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
    let text = context.metrics.encode().unwrap();
    assert!(text.contains("wattline_mqtt_ingest_in_flight{broker=\"mqtt\"} 0"), "{text}");
    publishing.await.unwrap();

    let ingest = world.start(world.config()).await;
    let by_meter = world.readings_of_all(5000).await;
    assert_eq!(by_meter.len(), 5000);
    assert!(by_meter.values().all(|readings| readings.len() == 1), "an ack was lost in the stop");
    ingest.stop().await.unwrap();
}

/// The broker comes to read the acks only when the service has written its last: what it sends in between must not
/// meet a closed connection, or it gives that up with the acks unread.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_late_to_read_the_acks_has_them_all() {
    const COUNT: u64 = 30_000;
    let world = faulty("stop-late").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    let publishing = tokio::spawn({
        let messages: Vec<_> = (0..COUNT).map(|meter| (world.topic(meter), payload(meter))).collect();
        async move { publisher.publish(messages).await }
    });
    ingest.until("some forwarded", || ingest.settled() > 100).await;
    world.stack.mosquitto().freeze().await.unwrap();
    let context = ingest.context.clone();
    let stopping = tokio::spawn(ingest.stop());
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.stack.mosquitto().thaw().await.unwrap();
    stopping.await.unwrap().unwrap();
    publishing.await.unwrap();
    let acknowledged = sum(&context.metrics.encode().unwrap(), "acknowledged_total");
    assert!(acknowledged > 100);

    let ingest = world.start(world.config()).await;
    ingest.until_settled(COUNT - acknowledged).await;
    world.readings_of_all(COUNT).await;
    assert_eq!(ingest.sum("received_total") + acknowledged, COUNT, "an ack was lost in the stop");
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_without_kafka_ends_at_its_deadline_and_acknowledges_nothing() {
    const COUNT: u64 = 50;
    let world = faulty("stop-frozen").await;
    let mut config = world.config();
    config.service.stop_deadline_ms = 3000;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    world.stack.kafka().freeze().await.unwrap();
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    ingest.until("all in flight", || ingest.sum("in_flight") == COUNT).await;
    let begin = Instant::now();
    ingest.stop().await.unwrap();
    let took = begin.elapsed();
    world.stack.kafka().thaw().await.unwrap();
    world.stack.kafka().wait_ready().await.unwrap();
    assert!(took >= Duration::from_millis(1400), "it waited for Kafka: {took:?}");
    let ingest = world.start(world.config()).await;
    ingest.until_settled(COUNT).await;
    assert_eq!(ingest.sum("received_total"), COUNT);
    ingest.stop().await.unwrap();
}
