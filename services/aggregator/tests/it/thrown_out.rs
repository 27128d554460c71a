//! Promise: a member that Kafka throws out of the group for good comes back with a new client, and buckets are right.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use wattline_localstack::poll_until;
use wattline_service::KafkaSettings;

use crate::scene::{PATIENCE, Scene, days_ago, reading};

/// Without the new client the aggregator ended here: `FencedInstanceId` is fatal to the library's client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_thrown_out_comes_back_by_itself() {
    let mut scene = Scene::new("thrown_out", 3).await;
    let mut config = scene.config();
    config.kafka.instance_id = Some("thrown-out".to_owned());
    let running = scene.start(config.clone());
    for half in 0..2 {
        let readings: Vec<_> = (0..9)
            .flat_map(|meter| (0..40).map(move |at| (meter, half * 40 + at)))
            .map(|(meter, at)| reading(&format!("m{meter}"), days_ago(2) + at * 60_000_000, at * 777, 93.0))
            .collect();
        scene.send_and_store(&readings).await;
        scene.settle().await;
        if half == 0 {
            let namesake = config.clone();
            tokio::task::spawn_blocking(move || join_as(&namesake)).await.unwrap();
            let thrown_out =
                poll_until("the end of the client", PATIENCE, Duration::from_millis(50), async || {
                    Ok((running.metric("wattline_aggregator_clients_ended_total") > 0).then_some(()))
                });
            thrown_out.await.unwrap();
        }
    }
    scene.assert_equals_recomputation().await;
    for meter in 0..9 {
        assert_eq!(scene.total_import_mwh(&format!("m{meter}")).await, 79 * 777, "m{meter}");
    }
    running.stop().await;
}

/// Joins the group under the aggregator's id, until the group has given it something.
fn join_as(config: &wattline_aggregator::Config) {
    let settings = KafkaSettings { brokers: config.kafka.brokers.clone(), ..KafkaSettings::default() };
    let consumer: BaseConsumer = settings
        .client_config("namesake")
        .unwrap()
        .set("group.id", &config.input.group)
        .set("group.instance.id", "thrown-out")
        .set("session.timeout.ms", config.input.session_timeout_ms.to_string())
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&config.input.readings_topic]).unwrap();
    let begun = Instant::now();
    while consumer.assignment().unwrap().count() == 0 {
        let _ = consumer.poll(Duration::from_millis(100));
        assert!(begun.elapsed() < Duration::from_secs(60), "the namesake was never let in");
    }
}
