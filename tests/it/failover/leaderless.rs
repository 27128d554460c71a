//! Partitions without a leader keep those that have one from nothing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio_postgres::Client;
use wattline_localstack::{ServiceKind, StackOptions};
use wattline_reading::topics::{PARTITIONER, READINGS};
use wattline_reading::{Measures, Reading, Timestamp, wire};
use wattline_tests::ops::Op;
use wattline_tests::system::System;

use super::start;
use crate::fixture::assert_ok;

const TIMEOUT: Duration = Duration::from_secs(30);
const METERS: i64 = 60;
const DAY_US: i64 = 86_400_000_000;

/// One copy of each record, so that a broker takes the partitions away that it leads; then every sink and aggregator begins
/// anew and claims all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn partitions_without_a_leader_hold_up_no_other() {
    let system = start(StackOptions::new().kafka_brokers(3).kafka_default_timeouts(true), 1).await;
    let client = assert_ok(assert_ok(system.target()).connect().await);
    let brokers = system.stack.kafka_brokers();
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("partitioner", PARTITIONER)
        .create()
        .unwrap();
    let all: HashSet<i64> = (0..METERS).collect();
    let places = assert_ok(send(&producer, &all, 0).await);
    assert_ok(computed(&system, &client, &all, 0).await);

    let progress = wattline_loadtest::publish::Progress::default();
    assert_ok(Op::KillServer("kafka-2").apply(&system, &progress).await);
    let without = assert_ok(leaderless(&brokers).await);
    let led: HashSet<i64> = all.iter().copied().filter(|meter| !without.contains(&places[meter])).collect();
    assert!(!without.is_empty() && led.len() > 10, "{without:?} of {places:?}");
    for kind in [ServiceKind::TimescaleSink, ServiceKind::Aggregator] {
        for ordinal in 0..2 {
            assert_ok(Op::Kill(kind, ordinal).apply(&system, &progress).await);
        }
    }
    assert_ok(send(&producer, &led, 1).await);
    assert_ok(computed(&system, &client, &led, 1).await);

    assert_ok(Op::ReturnServer("kafka-2").apply(&system, &progress).await);
    assert_ok(send(&producer, &all, 2).await);
    assert_ok(computed(&system, &client, &all, 2).await);
}

fn reading(meter: i64, minute: i64) -> Reading {
    let day = Timestamp::now().micros() / DAY_US - 2;
    let measures = Measures { energy_import_mwh: Some(minute * 1_000), ..Measures::default() };
    let at = Timestamp::from_micros(day * DAY_US + minute * 60_000_000);
    Reading { received_at: Timestamp::now(), ..Reading::new(format!("led-{meter}"), at, measures) }
}

/// One reading of each of these meters; gives the partition of each.
async fn send(
    producer: &FutureProducer,
    meters: &HashSet<i64>,
    minute: i64,
) -> anyhow::Result<HashMap<i64, i32>> {
    let mut places = HashMap::new();
    for meter in meters {
        let reading = reading(*meter, minute);
        let mut value = Vec::new();
        wire::encode_reading(&reading, &mut value);
        let record = FutureRecord::to(READINGS.name).key(&reading.meter_id).payload(&value);
        let delivery = producer.send(record, TIMEOUT).await.map_err(|(error, _)| error);
        places.insert(*meter, delivery.with_context(|| format!("meter {meter}, minute {minute}"))?.partition);
    }
    Ok(places)
}

/// The partitions of the readings that nobody leads, as soon as there are some.
async fn leaderless(brokers: &str) -> anyhow::Result<HashSet<i32>> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    for _ in 0..60 {
        let metadata = consumer.fetch_metadata(Some(READINGS.name), TIMEOUT)?;
        let partitions = metadata.topics().first().context("no such topic")?.partitions();
        let without = partitions.iter().filter(|partition| partition.leader() < 0);
        let without: HashSet<i32> = without.map(MetadataPartition::id).collect();
        if !without.is_empty() {
            return Ok(without);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(HashSet::new())
}

/// Waits until the readings of these meters and this minute are stored, and in the rollups.
async fn computed(
    system: &System,
    client: &Client,
    meters: &HashSet<i64>,
    minute: i64,
) -> anyhow::Result<()> {
    let ids: Vec<String> = meters.iter().map(|meter| format!("led-{meter}")).collect();
    let stored = "SELECT count(*) FROM reading JOIN meter USING (meter_key) \
        WHERE meter_id = ANY($1) AND energy_import_wh = $2";
    let summed = "SELECT count(*) FROM (SELECT sum(import_wh) AS wh FROM energy_15m JOIN meter USING (meter_key) \
        WHERE meter_id = ANY($1) GROUP BY meter_key) s WHERE round(wh) = $2";
    // The first reading begins energy, and ends none.
    for query in if minute == 0 { vec![stored] } else { vec![stored, summed] } {
        let what = format!("minute {minute} of {} meters: {query}", ids.len());
        let wait = system.wait_for(&what, async || {
            #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
            let row = client.query_one(query, &[&ids, &(minute as f64)]).await?;
            Ok(row.get::<_, i64>(0) == i64::try_from(ids.len())?)
        });
        wait.await?;
    }
    Ok(())
}
