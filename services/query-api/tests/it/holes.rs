//! Promise: offsets without a record (markers of transactions, what was given up in them, what compaction took) neither
//! stop a live stream nor reset it, and nobody lags for them.

use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message as _};
use serde_json::Value;
use tokio::time::sleep;
use wattline_localstack::poll_until;
use wattline_reading::{Reading, partition, topics, wire};
use wattline_service::Context;

use crate::fixture::{Env, PATIENCE, minutes_ago, reading, run_alone};
use crate::socket::Socket;

const METER: &str = "holes";

/// Writes in transactions, as a MirrorMaker with exactly-once does.
struct Transactional(BaseProducer);

// === impl Transactional ===

impl Transactional {
    fn new(env: &Env) -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", env.stack.kafka_brokers())
            .set("partitioner", topics::PARTITIONER)
            .set("transactional.id", "holes")
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        Self(producer)
    }

    /// One transaction, committed or given up.
    fn send(&self, readings: &[Reading], committed: bool) {
        let Self(producer) = self;
        producer.begin_transaction().unwrap();
        let mut value = Vec::new();
        for reading in readings {
            value.clear();
            wire::encode_reading(reading, &mut value);
            let record = BaseRecord::to(topics::READINGS.name).key(&reading.meter_id).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        // What is given up shall be in the log all the same.
        producer.flush(PATIENCE).unwrap();
        if committed {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
}

static BEGIN: LazyLock<DateTime<Utc>> = LazyLock::new(|| minutes_ago(30));

/// A reading that is told by its power.
fn numbered(number: i32) -> Reading {
    reading(METER, *BEGIN + TimeDelta::seconds(number.into()), number.into())
}

/// The meter's partition.
fn place() -> i32 {
    partition::of_key(METER.as_bytes(), topics::READINGS.partitions)
}

async fn next_power(socket: &mut Socket) -> (f64, Value) {
    let mut event = socket.expect("LiveReading").await;
    (event["reading"]["powerW"].as_f64().unwrap(), event["cursor"].take())
}

#[test]
fn transactions_neither_stop_nor_reset_a_stream() {
    run_alone(async {
        let env = Env::start().await;
        env.store(&[numbered(0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", METER, 10, None).await;
        socket.expect("LiveSnapshot").await;
        let producer = Transactional::new(&env);
        let mut expected = Vec::new();
        for transaction in 0..9 {
            let rows: Vec<Reading> = (0..20).map(|index| numbered(1 + transaction * 20 + index)).collect();
            let committed = transaction % 3 != 1;
            producer.send(&rows, committed);
            expected.extend(rows.iter().filter(|_| committed).filter_map(|row| row.measures.power_w));
        }
        let mut cursors = Vec::new();
        for power in &expected {
            let (seen, cursor) = next_power(&mut socket).await;
            assert_eq!(seen, *power);
            cursors.push(cursor);
        }
        // Behind the last marker.
        let beat = socket.any_event().await;
        assert_eq!(beat["__typename"], "LiveHeartbeat", "{beat}");
        drop(socket);

        // From before and behind each hole, on the same replica and on one that was not there.
        let other = env.api(|_| {}).await;
        for api in [&env.api, &other] {
            for place in [0, 19, 20, 39, 59, expected.len() - 2] {
                let mut socket = Socket::open(api).await;
                socket.follow("1", METER, 10, cursors[place].as_str()).await;
                assert_eq!(next_power(&mut socket).await.0, expected[place + 1], "after {place}");
            }
        }
        producer.send(&[numbered(1000)], true);
        for (api, cursor) in [(&env.api, &cursors[expected.len() - 1]), (&other, &beat["cursor"])] {
            let mut socket = Socket::open(api).await;
            socket.follow("1", METER, 10, cursor.as_str()).await;
            assert_eq!(next_power(&mut socket).await.0, 1000.0);
        }
    });
}

/// A thousand records that were given up are the last thing in the topic, and nothing follows them.
#[test]
fn a_topic_that_ends_in_a_hole_is_read_to_its_end() {
    run_alone(async {
        let env = Env::start().await;
        let producer = Transactional::new(&env);
        producer.send(&[numbered(1)], true);
        env.store(&[numbered(1)], Some((place(), 1))).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", METER, 10, None).await;
        let snapshot = socket.expect("LiveSnapshot").await;
        producer.send(&(2..1002).map(numbered).collect::<Vec<_>>(), false);

        // One that counted the hole would never be ready.
        let early = env.api(|_| {}).await;
        // One that begins at the end only: the sink's offset is before the hole, as is the cursor.
        let late = env.api(|config| config.live.begin_back_ms = 0).await;
        // Kafka is asked for its end every three seconds.
        sleep(Duration::from_secs(4)).await;
        for api in [&env.api, &early, &late] {
            wait_no_lag(&api.context).await;
        }
        let mut fresh = Socket::open(&late).await;
        fresh.follow("1", METER, 10, None).await;
        fresh.expect("LiveSnapshot").await;
        let mut resumed = Socket::open(&late).await;
        resumed.follow("1", METER, 10, snapshot["cursor"].as_str()).await;
        producer.send(&[numbered(1002)], true);
        for socket in [&mut socket, &mut fresh, &mut resumed] {
            assert_eq!(next_power(socket).await.0, 1002.0, "no lag, no reset, nothing that was given up");
        }
    });
}

async fn wait_no_lag(context: &Context) {
    let name = "wattline_query_api_tail_lag_records ";
    poll_until("a tail without lag", PATIENCE, Duration::from_millis(100), async || {
        let text = context.metrics.encode().unwrap();
        Ok((text.lines().find_map(|line| line.strip_prefix(name)) == Some("0")).then_some(()))
    })
    .await
    .unwrap();
}

/// A compacted topic is a wrong setting, and still nothing stops.
#[test]
fn what_compaction_took_is_passed_over() {
    run_alone(async {
        let env = Env::start().await;
        compact(&env).await;
        env.store(&[numbered(0)], None).await;
        let mut socket = Socket::open(&env.api).await;
        socket.follow("1", METER, 10, None).await;
        socket.expect("LiveSnapshot").await;
        let mut cursors = Vec::new();
        for number in 1..=200 {
            env.publish(&numbered(number)).await;
            let (seen, cursor) = next_power(&mut socket).await;
            assert_eq!(seen, f64::from(number));
            cursors.push(cursor);
        }
        // The cleaner leaves the newest of a key in what is closed, and all of the open segment.
        let kept = poll_until("Kafka to compact", PATIENCE, Duration::from_millis(200), async || {
            let kept = powers_in_kafka(&env);
            Ok((kept.len() < 150).then_some(kept))
        })
        .await
        .unwrap();
        let other = env.api(|_| {}).await;
        for api in [&env.api, &other] {
            let mut socket = Socket::open(api).await;
            socket.follow("1", METER, 10, cursors[9].as_str()).await;
            let mut seen = vec![next_power(&mut socket).await.0];
            while seen.last() != Some(&200.0) {
                seen.push(next_power(&mut socket).await.0);
            }
            let missing = kept.iter().filter(|power| **power > 10.0 && !seen.contains(power)).count();
            // It may go on between the two looks.
            assert!(seen.is_sorted() && (missing == 0 || seen.len() < kept.len()), "{seen:?} of {kept:?}");
        }
        env.publish(&numbered(201)).await;
        assert_eq!(next_power(&mut socket).await.0, 201.0);
    });
}

/// Lets Kafka keep the newest record of a key only, in segments as small and as soon as it can.
async fn compact(env: &Env) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", env.stack.kafka_brokers()).create().unwrap();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("segment.ms", "50"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    let specifier = ResourceSpecifier::Topic(topics::READINGS.name);
    let config = AlterConfig { specifier, entries: settings.into_iter().collect() };
    let results = admin.alter_configs(&[config], &AdminOptions::new()).await.unwrap();
    results.into_iter().for_each(|result| {
        result.unwrap();
    });
}

/// What the meter's partition has, read from its beginning.
fn powers_in_kafka(env: &Env) -> Vec<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", env.stack.kafka_brokers())
        .set("group.id", "look")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topics::READINGS.name, place(), Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut powers = Vec::new();
    loop {
        match consumer.poll(PATIENCE) {
            Some(Ok(record)) => {
                let reading = wire::decode_reading(record.key(), record.payload().unwrap()).unwrap();
                powers.extend(reading.measures.power_w);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return powers,
            other => panic!("{other:?}"),
        }
    }
}
