//! What a meter publishes is in Kafka: under its id, with its values, in its order.

use wattline_reading::{Timestamp, TsSource};

use crate::fixture::{payload, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_in_kafka_with_its_values_and_in_its_order() {
    const METERS: u64 = 20;
    const EACH: u64 = 50;
    let world = quiet("values").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    let numbers = (0..EACH).flat_map(|round| (0..METERS).map(move |meter| (meter, round)));
    publisher.publish(numbers.map(|(meter, round)| (world.topic(meter), payload(round)))).await;
    ingest.until_settled(METERS * EACH).await;
    assert_eq!(ingest.sum("received_total"), METERS * EACH);
    assert_eq!(ingest.sum("acknowledged_total"), METERS * EACH);
    assert_eq!(ingest.sum("readings_confirmed_total"), METERS * EACH);
    ingest.stop().await.unwrap();
    let by_meter = world.readings_by_meter(20).await;
    for meter in 0..METERS {
        let readings = &by_meter[&world.meter_id(meter)];
        let watts: Vec<_> = readings.iter().map(|reading| reading.measures.power_w).collect();
        let expected: Vec<_> = (0..50_u32).map(|round| Some(f64::from(round))).collect();
        assert_eq!(watts, expected, "meter {meter}");
        assert!(readings.iter().all(|reading| !reading.redelivered && reading.ts_source == TsSource::Device));
        assert_eq!(readings[7].measures.energy_import_mwh, Some(7125));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_becomes_its_readings_and_arrival_stamps_what_has_no_time() {
    let world = quiet("array").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    let before = Timestamp::now();
    let now_s = before.micros() / 1_000_000;
    let array = format!(r#"[{{"ts":{},"power_w":1}},{{"ts":{},"power_w":2}}]"#, now_s - 20, now_s - 10);
    publisher.publish([(world.topic("a"), array.as_str()), (world.topic("b"), r#"{"power_w":"3"}"#)]).await;
    ingest.until_settled(2).await;
    let by_meter = world.readings_by_meter(2).await;
    let buffered = &by_meter[&world.meter_id("a")];
    assert_eq!(buffered.len(), 2);
    assert_eq!(buffered[1].ts, Timestamp::from_micros((now_s - 10) * 1_000_000));
    let stamped = &by_meter[&world.meter_id("b")][0];
    assert_eq!((stamped.ts, stamped.ts_source), (stamped.received_at, TsSource::Arrival));
    assert!(stamped.ts >= before && stamped.ts <= Timestamp::now());
    ingest.stop().await.unwrap();
}

/// Two replicas of one group: each message goes to one of them, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_messages() {
    const COUNT: u64 = 400;
    let world = quiet("replicas").await;
    let first = world.start(world.config()).await;
    let mut config = world.config();
    config.mqtt.client_id = "ingest-replicas-second".to_owned();
    let second = world.start(config).await;
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    first.until("both have all", || first.settled() + second.settled() == COUNT).await;
    assert!(first.settled() > 0 && second.settled() > 0, "{} {}", first.door(), second.door());
    first.stop().await.unwrap();
    second.stop().await.unwrap();
    let by_meter = world.readings_of_all(400).await;
    assert!(by_meter.values().all(|readings| readings.len() == 1));
}
