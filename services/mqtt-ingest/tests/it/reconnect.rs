//! Connections come and go; nothing is lost at QoS 1, and the service comes back by itself.

use std::time::Duration;

use wattline_localstack::Proxy;

use crate::fixture::{faulty, payload, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_broker_is_found_again_with_its_session() {
    const COUNT: u64 = 500;
    let world = faulty("restart").await;
    let ingest = world.start(world.config()).await;
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    world.stack.mosquitto().restart().await.unwrap();
    // Mosquitto (2.0.11 and 2.0.21) forgets shared subscriptions over a restart until their members come back:
    // what is published before that is the broker's loss, though the publisher has its PUBACK.
    let back = || ingest.sum("connections_total") >= 2 && ingest.context.ready.is_ready();
    ingest.until("the broker is found again", back).await;
    let mut publisher = world.publisher().await;
    publisher.publish((COUNT..2 * COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    world.readings_of_all(1000).await;
    ingest.until_settled(2 * COUNT).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    ingest.stop().await.unwrap();
}

/// One replica without a group has no such gap: its ordinary subscription is in the broker's database.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_group_a_restart_of_the_broker_has_no_gap() {
    const COUNT: u64 = 500;
    let world = faulty("no-group").await;
    let mut config = world.config();
    config.mqtt.group = None;
    world.start(config.clone()).await.stop().await.unwrap();
    world.stack.mosquitto().restart().await.unwrap();
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    let ingest = world.start(config).await;
    ingest.until_settled(COUNT).await;
    ingest.stop().await.unwrap();
}

/// The network goes away in the middle of a stream, again and again, by cuts and by silence.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_comes_and_goes_loses_nothing() {
    const COUNT: u64 = 3000;
    let world = quiet("network").await;
    let proxy = Proxy::start(world.stack.mosquitto().address()).await.unwrap();
    let mut config = world.config();
    config.mqtt.url = format!("mqtt://{}", proxy.addr());
    config.mqtt.keep_alive_s = 5;
    config.mqtt.connect_timeout_ms = 1000;
    config.mqtt.taken_over_wait_ms = 500;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    for part in 0..6 {
        let numbers = part * COUNT / 6..(part + 1) * COUNT / 6;
        publisher.publish(numbers.map(|meter| (world.topic(meter), payload(meter)))).await;
        if part == 3 {
            proxy.blackhole();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.restore();
    }
    world.readings_of_all(3000).await;
    ingest.until("nothing in flight", || ingest.sum("in_flight") == 0).await;
    ingest.assert_equation();
    assert!(ingest.sum("connections_lost_total") >= 3, "{}", ingest.door());
    ingest.stop().await.unwrap();
}

/// A filter that is new in the configuration reaches the session that the broker kept over the restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_filter_reaches_a_kept_session() {
    let world = quiet("filters").await;
    let mut config = world.config();
    config.mqtt.filters = vec!["wattline/filters/old/reading".to_owned()];
    let ingest = world.start(config.clone()).await;
    ingest.stop().await.unwrap();
    config.mqtt.filters.push("wattline/filters/new/reading".to_owned());
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    publisher.publish([(world.topic("old"), payload(1)), (world.topic("new"), payload(2))]).await;
    ingest.until_settled(2).await;
    ingest.stop().await.unwrap();
}

/// What is published while the service is away waits for it, for its session is kept.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_it_is_away_waits() {
    const COUNT: u64 = 1000;
    let world = quiet("away").await;
    world.start(world.config()).await.stop().await.unwrap();
    let mut publisher = world.publisher().await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    let ingest = world.start(world.config()).await;
    ingest.until_settled(COUNT).await;
    assert_eq!(ingest.sum("received_total"), COUNT);
    ingest.stop().await.unwrap();
}
