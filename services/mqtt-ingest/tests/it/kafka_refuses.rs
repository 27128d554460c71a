//! A topic that is gone or may not be written stops the acknowledgements; it never fills the dead letters.

use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigSource, NewPartitions, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Message, Timestamp as KafkaTimestamp};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use wattline_reading::Timestamp;
use wattline_reading::topics::{ALL, CLEANUP_POLICY, DEAD_LETTERS, READINGS, TIMESTAMP_TYPE};

use crate::fixture::{Ingest, World, faulty, payload};

async fn delete_topic(world: &World, topic: &str) {
    let deleted = admin(world).delete_topics(&[topic], &AdminOptions::new()).await.unwrap();
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
    delete_topic(&world, READINGS.name).await;
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

/// A letter that can't be written holds up the acknowledgements of what came behind it, which Kafka has. Forgotten with its
/// producer, each of them would come again under another arrival, and be another reading in the store.
#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_had_when_its_producer_was_given_up_is_not_produced_again() {
    const COUNT: u64 = 100;
    let world = faulty("letters-gone").await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 500;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    delete_topic(&world, DEAD_LETTERS.name).await;
    let bare = (0..COUNT).map(|meter| (world.topic(meter), format!(r#"{{"power_w":{meter}}}"#)));
    let unreadable = (world.topic(COUNT), "{".to_owned());
    publisher.publish(std::iter::once(unreadable).chain(bare)).await;
    ingest.until("the producer is given up", || ingest.sum("producers_replaced_total") > 0).await;
    assert_eq!(ingest.sum("acknowledged_total"), 0);
    create_topics(&world).await;
    ingest.until_settled(COUNT + 1).await;
    let by_meter = world.readings_of_all(COUNT).await;
    assert!(by_meter.values().all(|readings| readings.len() == 1), "produced again: {by_meter:?}");
    ingest.assert_equation();
    ingest.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_topics_it_takes_nothing_and_says_why() {
    let world = faulty("topic-missing").await;
    delete_topic(&world, READINGS.name).await;
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
async fn a_topic_that_would_lose_something_is_refused_until_it_is_set_right() {
    let world = faulty("wrong-settings").await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 200;
    for (topic, setting, value, cure) in [
        (
            DEAD_LETTERS.name,
            "max.message.bytes",
            "1048588",
            "set its max.message.bytes to that with `wattlinectl topics`",
        ),
        (READINGS.name, CLEANUP_POLICY.0, "compact", "`wattlinectl topics` sets it to delete"),
        (READINGS.name, CLEANUP_POLICY.0, "compact,delete", "`wattlinectl topics` sets it to delete"),
    ] {
        set(&world, topic, setting, value).await;
        let ingest = Ingest::begin(config.clone());
        ingest.until("the setting is named", || ingest.missing().contains(cure)).await;
        assert_eq!(ingest.sum("connections_total"), 0, "no message is taken before");
        create_topics(&world).await;
        ingest.until("ready", || ingest.context.ready.is_ready()).await;
        ingest.stop().await.unwrap();
    }
}

/// Under a running one as at its start.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_has_grown_is_refused_with_a_cure_that_loses_nothing() {
    const COUNT: u64 = 50;
    let world = faulty("grown").await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 200;
    config.produce.topics_check_ms = 200;
    for running in [true, false] {
        let ingest = Ingest::begin(config.clone());
        if running {
            ingest.until("ready", || ingest.context.ready.is_ready()).await;
            grow(&world).await;
        }
        is_refused(&ingest).await;
        if running {
            assert_eq!(ingest.sum("producers_replaced_total"), 1);
            let mut publisher = world.publisher().await;
            publisher.publish((0..COUNT).map(|meter| (world.topic(meter), payload(meter)))).await;
        } else {
            assert_eq!(ingest.sum("connections_total"), 0, "no message is taken before");
            delete_topic(&world, READINGS.name).await;
            create_topics(&world).await;
            world.readings_of_all(COUNT).await;
            ingest.until("ready", || ingest.context.ready.is_ready()).await;
        }
        ingest.stop().await.unwrap();
    }
}

async fn grow(world: &World) {
    let grown = [NewPartitions::new(READINGS.name, 13)];
    admin(world).create_partitions(&grown, &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

async fn is_refused(ingest: &Ingest) {
    ingest.until("it is named", || ingest.missing().contains("has 13 partitions, must have 12")).await;
    let cure = format!(
        "When nothing lags any more, delete it, make it anew with `wattlinectl topics`, and `wattlinectl offsets reset --topic {}`",
        READINGS.name
    );
    assert!(ingest.missing().contains(&cure), "{}", ingest.missing());
}

/// Where the producer's clock stamps the records, a wrong one is no fault of any message: nothing is acknowledged or put
/// aside, and the cure that is named is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_kafka_refuses_stops_the_acks_and_is_named() {
    let world = faulty("clock").await;
    let mut config = world.config();
    config.produce.retry_wait_ms_max = 500;
    let ingest = world.start(config).await;
    let mut publisher = world.publisher().await;
    // No record may be older than 0 ms when it comes: each of them is.
    set(&world, READINGS.name, TIMESTAMP_TYPE.0, "CreateTime").await;
    set(&world, READINGS.name, "message.timestamp.before.max.ms", "0").await;
    publisher.publish((0..10).map(|meter| (world.topic(meter), payload(meter)))).await;
    let named = || ingest.missing().contains("set the clock, and `wattlinectl topics`");
    ingest.until("the clock is named", named).await;
    assert_eq!((ingest.sum("acknowledged_total"), ingest.sum("dead_lettered_total")), (0, 0));
    create_topics(&world).await;
    ingest.until_settled(10).await;
    assert_eq!(ingest.sum("dead_lettered_total"), 0);
    ingest.until("ready", || ingest.context.ready.is_ready()).await;
    ingest.stop().await.unwrap();
    for topic in ALL {
        a_clock_hours_ahead_is_no_matter(&world, topic.name).await;
    }
}

/// Where Kafka's clock stamps them, it takes records of any host, and its retention goes by its own time.
async fn a_clock_hours_ahead_is_no_matter(world: &World, topic: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.stack.kafka_brokers()).set("group.id", "a-look");
    let producer: FutureProducer = config.create().unwrap();
    let now_ms = || Timestamp::now().micros() / 1000;
    let record = FutureRecord::to(topic).key("m").payload("x").timestamp(now_ms() + 7_200_000);
    let sent_ms = now_ms();
    let delivery = producer.send(record, Duration::from_secs(30)).await.map_err(|(error, _)| error).unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, delivery.partition, Offset::Offset(delivery.offset)).unwrap();
    let consumer: StreamConsumer = config.create().unwrap();
    consumer.assign(&place).unwrap();
    let stamped = consumer.recv().await.unwrap().timestamp();
    let KafkaTimestamp::LogAppendTime(ms) = stamped else { panic!("{topic}: {stamped:?}") };
    assert!((sent_ms - 1000..=now_ms() + 1000).contains(&ms), "{topic}: {ms}");
}

/// Sets one of a topic's settings and leaves the others; Kafka's brokers learn of it a little later.
async fn set(world: &World, topic: &str, name: &str, value: &str) {
    let admin = admin(world);
    let specifier = [ResourceSpecifier::Topic(topic)];
    let described = admin.describe_configs(&specifier, &AdminOptions::new()).await.unwrap();
    let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic));
    let described = described[0].as_ref().unwrap();
    let own = |entry: &&ConfigEntry| entry.source == ConfigSource::DynamicTopic && entry.name != name;
    for entry in described.entries.iter().filter(own) {
        altered = altered.set(&entry.name, entry.value.as_deref().unwrap());
    }
    let answers = admin.alter_configs(&[altered.set(name, value)], &AdminOptions::new()).await.unwrap();
    answers[0].as_ref().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn admin(world: &World) -> AdminClient<DefaultClientContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.stack.kafka_brokers());
    config.create().unwrap()
}
