//! A connection that stands and brings nothing is noticed; a broker that forbids canaries is left alone.

use std::time::Duration;

use wattline_localstack::Proxy;

use crate::fixture::{another_broker, payload, quiet};

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_given_up_before_the_keep_alive_sees_it() {
    let world = quiet("silent").await;
    let proxy = Proxy::start(world.stack.mosquitto().address()).await.unwrap();
    let mut config = world.config();
    config.mqtt.url = format!("mqtt://{}", proxy.addr());
    config.mqtt.keep_alive_s = 600;
    config.mqtt.connect_timeout_ms = 500;
    config.mqtt.watchdog_ms = 1500;
    let ingest = world.start(config).await;
    ingest.until("armed", || ingest.sum("watchdog_armed") == 1).await;
    let mut publisher = world.publisher().await;
    publisher.publish([(world.topic(0), payload(0))]).await;
    ingest.until_settled(1).await;
    // Longer than its patience: canaries keep a quiet connection.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ingest.sum("connections_lost_total"), 0, "{}", ingest.door());

    proxy.blackhole();
    publisher.publish([(world.topic(1), payload(1))]).await;
    let bitten = || ingest.sum_of("connections_lost_total", "cause", "watchdog") == 1;
    ingest.until("the silence is noticed", bitten).await;
    proxy.restore();
    ingest.until("armed again", || ingest.sum("watchdog_armed") == 1).await;
    ingest.until_settled(2).await;
    assert_eq!(ingest.sum("received_total"), 2, "no canary is a message: {}", ingest.door());
    ingest.stop().await.unwrap();
    world.readings_of_all(2).await;
}

/// Mosquitto drops what the access list forbids, without a word.
#[tokio::test(flavor = "multi_thread")]
async fn canaries_that_the_broker_forbids_disturb_nothing() {
    let world = quiet("forbidden").await;
    let mut config = world.config();
    config.mqtt.username = Some("observer".to_owned());
    config.mqtt.password_file = Some(world.stack.mqtt_password_file("observer"));
    config.mqtt.watchdog_ms = 1000;
    let ingest = world.start(config).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(ingest.sum("watchdog_armed"), 0);
    assert_eq!((ingest.sum("connections_total"), ingest.sum("connections_lost_total")), (1, 0));
    world.publisher().await.publish([(world.topic(0), payload(0))]).await;
    ingest.until_settled(1).await;
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watchdog_that_is_switched_off_is_not_one_of_no_use() {
    let world = quiet("off").await;
    let mut config = world.config();
    config.mqtt.watchdog_ms = 0;
    let ingest = world.start(config).await;
    let text = ingest.metrics();
    let armed = text.lines().find(|line| line.starts_with("wattline_mqtt_ingest_watchdog_armed"));
    assert!(armed.is_some_and(|line| line.ends_with(" -1")), "{armed:?}");
    ingest.stop().await.unwrap();
}

/// Two replicas with the widest filter get each other's canaries, too.
#[tokio::test(flavor = "multi_thread")]
async fn canaries_that_a_wide_filter_brings_are_no_messages() {
    let world = quiet("wide").await;
    let broker = another_broker().await;
    let replica = |ordinal| {
        let mut config = world.config();
        config.mqtt.url = broker.mqtt_url();
        config.mqtt.password_file = Some(broker.mqtt_password_file("ingest"));
        config.mqtt.client_id = format!("wide-{ordinal}");
        config.mqtt.filters = vec!["#".to_owned()];
        config.mqtt.watchdog_ms = 1000;
        config
    };
    let first = world.start(replica(0)).await;
    let second = world.start(replica(1)).await;
    for ingest in [&first, &second] {
        ingest.until("armed", || ingest.sum("watchdog_armed") == 1).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for ingest in [first, second] {
        assert_eq!(ingest.sum("received_total"), 0, "{}", ingest.door());
        assert_eq!(ingest.sum("connections_lost_total"), 0, "{}", ingest.door());
        ingest.stop().await.unwrap();
    }
}

/// In a loop where whatever is sent puts off the question whether the broker is still there, canaries that never come back
/// keep a frozen broker "connected" for as long as TCP allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_is_noticed_although_it_forbids_canaries() {
    let world = quiet("mute").await;
    let broker = another_broker().await;
    let mut config = world.config();
    config.mqtt.url = broker.mqtt_url();
    config.mqtt.username = Some("observer".to_owned());
    config.mqtt.password_file = Some(broker.mqtt_password_file("observer"));
    config.mqtt.keep_alive_s = 5;
    config.mqtt.connect_timeout_ms = 1000;
    config.mqtt.watchdog_ms = 1000;
    let ingest = world.start(config).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((ingest.sum("watchdog_armed"), ingest.sum("connections_lost_total")), (0, 0));
    broker.mosquitto().freeze().await.unwrap();
    let noticed = || ingest.sum_of("connections_lost_total", "cause", "broken") == 1;
    ingest.until("the silence is noticed", noticed).await;
    broker.mosquitto().thaw().await.unwrap();
    ingest.until("ready again", || ingest.context.ready.is_ready()).await;
    ingest.stop().await.unwrap();
}
