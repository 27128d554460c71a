//! A message is acknowledged only after Kafka has it.

use crate::fixture::{Ingest, faulty, payload};

const COUNT: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_has_not_confirmed_comes_again_after_a_kill() {
    let world = faulty("acks").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    world.stack.kafka().freeze().await.unwrap();
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    ingest.until("all in flight", || ingest.sum("in_flight") == COUNT).await;
    assert_eq!(ingest.sum("acknowledged_total"), 0, "Kafka is frozen");
    ingest.assert_equation();
    ingest.kill().await;
    world.stack.kafka().thaw().await.unwrap();
    world.stack.kafka().wait_ready().await.unwrap();

    let ingest = world.start(world.config()).await;
    ingest.until_settled(COUNT).await;
    assert_eq!(ingest.sum("received_total"), COUNT, "every one came again, and only these");
    ingest.stop().await.unwrap();
    let by_meter = world.readings_of_all(300).await;
    assert_eq!(by_meter.len(), 300);
    let marked = |reading: &wattline_reading::Reading| reading.redelivered;
    assert!(by_meter.values().all(|readings| readings.iter().any(marked)), "DUP is carried on");
}

/// The other side: what was acknowledged does not come again.
#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_has_confirmed_is_acknowledged_and_does_not_come_again() {
    let world = faulty("confirmed").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    ingest.until_settled(COUNT).await;
    ingest.stop().await.unwrap();
    let ingest = Ingest::begin(world.config());
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    publisher.publish([(world.topic("last"), payload(0))]).await;
    ingest.until_settled(1).await;
    assert_eq!(ingest.sum("received_total"), 1);
    ingest.stop().await.unwrap();
}
