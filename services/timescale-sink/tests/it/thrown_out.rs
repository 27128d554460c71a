//! A client that Kafka throws out of the group for good is replaced by a new one, and nothing is lost or doubled.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use wattline_service::KafkaSettings;

use crate::world::{Stream, World};

/// Without the new client the sink ended here: `FencedInstanceId` is fatal to the library's client. Kafka says it of
/// a member whose id another one has joined with, and after some restarts of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_thrown_out_comes_back_by_itself() {
    let world = World::new().await;
    let mut config = world.config();
    config.kafka.instance_id = format!("{}-member", world.kafka.readings);
    let stream = Stream::start(&world, 1000);
    let sink = world.start(config.clone()).ready().await;
    let namesake = config.clone();
    tokio::task::spawn_blocking(move || join_as(&namesake)).await.unwrap();
    sink.not_ready("can't go on").await;
    let sink = sink.ready().await;
    let sent = stream.stop();
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    sink.stop().await;
}

/// Joins the group under the first writer's id, until the group has given it something.
fn join_as(config: &wattline_timescale_sink::Config) {
    let settings = KafkaSettings { brokers: config.kafka.brokers.clone(), ..KafkaSettings::default() };
    let consumer: BaseConsumer = settings
        .client_config("namesake")
        .unwrap()
        .set("group.id", &config.input.group)
        .set("group.instance.id", format!("{}-0", config.kafka.instance_id))
        .set("session.timeout.ms", config.input.session_timeout_ms.to_string())
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&config.input.readings_topic, &config.input.dead_letters_topic]).unwrap();
    let begun = Instant::now();
    while consumer.assignment().unwrap().count() == 0 {
        let _ = consumer.poll(Duration::from_millis(100));
        assert!(begun.elapsed() < Duration::from_secs(60), "the namesake was never let in");
    }
}
