//! Promise: `wattline_reading::partition` says where a producer puts a key; live streams and recomputations rely on it.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use wattline_reading::{partition, topics};

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_where_the_client_library_puts_it() {
    let partitions = topics::READINGS.partitions;
    let scene = Scene::new("places", partitions).await;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", scene.stack.kafka_brokers())
        .set("partitioner", topics::PARTITIONER)
        .set("linger.ms", "5")
        .create()
        .unwrap();
    // Every length of the last word of four bytes, bytes above 127, and ids as meters have them.
    let mut keys: Vec<Vec<u8>> = (1..=40).map(|length| vec![b'a'; length]).collect();
    keys.extend((0..=255_u8).map(|byte| vec![byte]));
    keys.extend((0..=255_u8).map(|byte| vec![b'x', byte, 0, byte, 255]));
    keys.extend((0..400).map(|number| format!("home-{number}/Zähler/{}", number % 7).into_bytes()));
    let mut sent = Vec::new();
    for key in &keys {
        let record = FutureRecord::to(&scene.topic).key(key).payload("x");
        sent.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
    }
    let mut used = std::collections::BTreeSet::new();
    for (delivery, key) in sent.into_iter().zip(&keys) {
        let delivery = tokio::time::timeout(Duration::from_secs(60), delivery).await.unwrap();
        let place = delivery.unwrap().unwrap().partition;
        assert_eq!(partition::of_key(key, partitions), place, "{key:?}");
        used.insert(place);
    }
    assert_eq!(used.len(), usize::try_from(partitions).unwrap(), "all partitions are used");
}
