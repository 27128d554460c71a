//! Promise: what Kafka holds and is damaged is not passed over as if there had never been a record, or buckets would stay
//! wrong; the cure is the one that the error names.

use std::time::Duration;

use wattline_localstack::{poll_until, segment};

use crate::scene::{Scene, days_ago, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_batch_stops_its_partition_until_a_person_decides() {
    let mut scene = Scene::new("damaged", 1).await;
    for at in 0..5 {
        scene.send_and_store(&[reading("m", days_ago(2) + at * 60_000_000, at * 1_000, 60.0)]).await;
    }
    let broker = scene.stack.dir().join(scene.stack.kafka().name());
    let file = segment::first_of(&broker, &scene.topic, 0);
    segment::damage(&file, 2, |length| length - 8, 0xff).unwrap();
    let aggregator = scene.start(scene.config());
    let said = "Kafka holds records from offset 2 on and has delivered none for 60 s";
    let missing = || aggregator.context.ready.missing().into_iter().find(|missing| missing.contains(said));
    let error = poll_until(said, Duration::from_secs(80), Duration::from_millis(100), async || Ok(missing()));
    let error = error.await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(missing().is_some(), "{:?}", aggregator.context.ready.missing());

    let url = scene.stack.database_url_of(&scene.database, "wattline_operator");
    let done = wattlinectl::offsets::obey(&error, &scene.stack.kafka_brokers(), &url).await.unwrap();
    assert!(done.contains("aggregator is at 2 and counts 1 offsets as lost"), "{done}");
    scene.settle().await;
    // Its reading is stored, and computed although nothing says any more that it is there.
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("m").await, 4_000);
    assert_eq!(aggregator.metric("wattline_aggregator_records_lost_total"), 1);
    aggregator.stop().await;
}
