//! A session keeps its subscriptions over a restart; those that the configuration no longer has are ended.

use wattline_mqtt_ingest::Config;

use crate::fixture::{Ingest, World, payload, quiet};

fn config(world: &World, topics: &[&str], watchdog_ms: u64) -> Config {
    let mut config = world.config();
    config.mqtt.filters = topics.iter().map(|topic| world.topic(topic)).collect();
    config.mqtt.watchdog_ms = watchdog_ms;
    config
}

/// The list is compared before the first canary comes, and written when it does.
async fn run(world: &World, config: Config) -> Ingest {
    let ingest = world.start(config).await;
    ingest.until("armed", || ingest.sum("watchdog_armed") == 1).await;
    ingest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_the_configuration_no_longer_has_is_unsubscribed() {
    let world = quiet("ended").await;
    run(&world, config(&world, &["old", "kept"], 1000)).await.stop().await.unwrap();
    // What waits in the session was published while it was wanted.
    let mut publisher = world.publisher().await;
    publisher.publish([(world.topic("old"), payload(1))]).await;
    let mut changed = config(&world, &["kept", "new"], 1000);
    let ingest = run(&world, changed.clone()).await;
    ingest.until_settled(1).await;
    publisher.publish([(world.topic("old"), payload(2)), (world.topic("kept"), payload(3))]).await;
    publisher.publish([(world.topic("new"), payload(4))]).await;
    ingest.until_settled(3).await;
    assert_eq!(ingest.sum("received_total"), 3, "{}", ingest.door());
    ingest.stop().await.unwrap();

    // Another group: the filters are the same, the subscriptions are not.
    changed.mqtt.group = Some("ended-anew".to_owned());
    let ingest = run(&world, changed.clone()).await;
    publisher.publish([(world.topic("kept"), payload(5)), (world.topic("new"), payload(6))]).await;
    ingest.until_settled(2).await;
    assert_eq!(ingest.sum("received_total"), 2, "once each, not by both groups: {}", ingest.door());
    ingest.stop().await.unwrap();
}

/// Where the broker keeps no list, the configuration may have one.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_says_is_unsubscribed_unless_it_is_wanted() {
    let world = quiet("told").await;
    world.start(config(&world, &["old", "kept"], 0)).await.stop().await.unwrap();
    let mut changed = config(&world, &["kept"], 0);
    let shared = |topic: &str| format!("$share/told/{}", world.topic(topic));
    changed.mqtt.unsubscribe = vec![shared("old"), shared("kept"), shared("never")];
    let ingest = world.start(changed).await;
    let mut publisher = world.publisher().await;
    publisher.publish([(world.topic("old"), payload(1)), (world.topic("kept"), payload(2))]).await;
    ingest.until_settled(1).await;
    assert_eq!(ingest.sum("received_total"), 1, "{}", ingest.door());
    ingest.stop().await.unwrap();
}

/// Filters of two families take the same topics, as do `+/status/+` of Shelly and `wattline/+/reading`; each copy may go to
/// another replica.
///
/// Seen to fail without `Subscriptions::is_second_copy`: 40 records of the 20 messages.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_two_filters_take_is_forwarded_once() {
    let world = quiet("twice").await;
    let mut config = world.config();
    config.routes.clear();
    config.families = ["shelly", "wattline-json"].map(str::to_owned).to_vec();
    let mut other = config.clone();
    other.mqtt.client_id = format!("{}-other", config.mqtt.client_id);
    let replicas = [run(&world, config).await, run(&world, other).await];
    let sum = |of: fn(&Ingest) -> u64| replicas.iter().map(of).sum::<u64>();
    let mut publisher = world.publisher().await;
    let messages = (0..20).map(|second| ("wattline/status/reading".to_owned(), payload(second)));
    publisher.publish(messages).await;
    replicas[0].until("both copies of each", || sum(|ingest| ingest.sum("acknowledged_total")) == 40).await;
    assert_eq!(sum(|ingest| ingest.sum("forwarded_total")), 20, "{}", replicas[0].door());
    assert_eq!(sum(|ingest| ingest.sum_of("ignored_total", "reason", "second_copy")), 20);
    for ingest in replicas {
        ingest.assert_equation();
        ingest.stop().await.unwrap();
    }
}
