//! Promise: offsets without a record, as transactions leave them, hold nothing up and are no loss; an aggregator that
//! begins anew between them misses nothing.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::scene::{Scene, days_ago, reading};

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
