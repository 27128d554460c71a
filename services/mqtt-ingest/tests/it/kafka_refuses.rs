//! A topic that is gone or may not be written stops the acknowledgements; it never fills the dead letters.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use wattline_reading::topics::READINGS;

use crate::fixture::{Ingest, World, faulty, payload};

async fn delete_readings_topic(world: &World) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.stack.kafka_brokers());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let deleted = admin.delete_topics(&[READINGS.name], &AdminOptions::new()).await.unwrap();
    deleted[0].as_ref().unwrap();
}

async fn create_topics(world: &World) {
    wattlinectl::topics::create(&world.stack.kafka_brokers(), 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_goes_away_stops_the_acks_until_it_is_back() {
    const COUNT: u64 = 100;
    let world = faulty("topic-gone").await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 500;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    delete_readings_topic(&world).await;
    publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
    let named = || ingest.missing().contains("wattlinectl topics");
    ingest.until("it names the cure", named).await;
    ingest.until("the producer is given up", || ingest.sum("producers_replaced_total") == 1).await;
    assert_eq!(ingest.sum("acknowledged_total"), 0);
    assert_eq!(ingest.sum("dead_lettered_total"), 0);
    ingest.assert_equation();

    create_topics(&world).await;
    world.readings_of_all(100).await;
    ingest.until_settled(COUNT).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    assert_eq!(ingest.sum("dead_lettered_total"), 0);
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_topics_it_takes_nothing_and_says_why() {
    let world = faulty("topic-missing").await;
    delete_readings_topic(&world).await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 200;
    let ingest = Ingest::begin(config);
    let cure = format!("the topic {} doesn't exist: create it with `wattlinectl topics`", READINGS.name);
    ingest.until("the missing topic is named", || ingest.missing().contains(&cure)).await;
    assert_eq!(ingest.sum("connections_total"), 0, "no message is taken before");
    create_topics(&world).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_too_small_records_is_refused_at_the_start() {
    let world = faulty("small-records").await;
    set_record_bytes(&world, "1048588").await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 200;
    let ingest = Ingest::begin(config);
    ingest.until("the setting is named", || ingest.missing().contains("set its max.message.bytes")).await;
    set_record_bytes(&world, &wattline_reading::topics::RECORD_BYTES_MAX.to_string()).await;
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    ingest.stop().await.unwrap();
}

async fn set_record_bytes(world: &World, bytes: &str) {
    use rdkafka::admin::{AlterConfig, ResourceSpecifier};
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.stack.kafka_brokers());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let altered = AlterConfig::new(ResourceSpecifier::Topic(wattline_reading::topics::DEAD_LETTERS.name))
        .set("max.message.bytes", bytes);
    let answers = admin.alter_configs(&[altered], &AdminOptions::new()).await.unwrap();
    answers[0].as_ref().unwrap();
}
