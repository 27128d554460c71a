//! Promise: offsets without a record, as transactions leave them, hold nothing up and are no loss; an aggregator that
//! begins anew between them misses nothing.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use wattline_localstack::poll_until;

use crate::scene::{PATIENCE, Scene, admin, days_ago, reading};

const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_and_aborted_records_are_passed_over() {
    let mut scene = Scene::new("holes", 1).await;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", scene.stack.kafka_brokers())
        .set("transactional.id", "holes")
        .create()
        .unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    let row = |at: i64| reading("m", days_ago(2) + at * 60_000_000, at * 1_000, 60.0);
    let mut aggregator = scene.start(scene.config());
    for at in 0..20 {
        producer.begin_transaction().unwrap();
        for _ in 0..10 {
            producer.send(BaseRecord::to(&scene.topic).key("m").payload("aborted")).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
        producer.abort_transaction(TIMEOUT).unwrap();
        scene.send_and_store(&[row(at)]).await;
        if at % 7 == 6 {
            aggregator.stop().await;
            aggregator = scene.start(scene.config());
        }
    }
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("m").await, 19_000);
    assert_eq!(aggregator.metric("wattline_aggregator_records_lost_total"), 0);
    aggregator.stop().await;
}

/// A compacted topic is a wrong setting, and still nothing stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_compaction_took_holds_nothing_up() {
    let mut scene = Scene::new("compacted", 1).await;
    let entries = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("segment.ms", "50"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    let specifier = ResourceSpecifier::Topic(&scene.topic);
    let config = AlterConfig { specifier, entries: entries.into_iter().collect() };
    let brokers = scene.stack.kafka_brokers();
    admin(&brokers).alter_configs(&[config], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    // All in one quarter of an hour: of one that has lost all of its records nobody hears.
    let row = |at: i64| reading("m", days_ago(2) + at * 1_000_000, at * 10, 60.0);
    for at in 0..100 {
        scene.send(&[row(at)]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    poll_until("Kafka to compact", PATIENCE, Duration::from_millis(200), async || {
        Ok((scene.count_records() < 80).then_some(()))
    })
    .await
    .unwrap();
    let aggregator = scene.start(scene.config());
    scene.store().await;
    scene.settle().await;
    assert_eq!(scene.total_import_mwh("m").await, 990);
    assert_eq!(aggregator.metric("wattline_aggregator_records_lost_total"), 0);
    aggregator.stop().await;
}
