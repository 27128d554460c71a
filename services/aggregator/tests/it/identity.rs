//! Promise: offsets of another topic or cluster, or beyond Kafka's end, stop the partition with an error that names the
//! cure; records that Kafka deleted before they were read are made up for.

use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use crate::scene::{Scene, admin, days_ago, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_topic_and_an_impossible_offset_stop_the_partition() {
    let mut scene = Scene::new("identity", 1).await;
    let aggregator = scene.start(scene.config());
    scene.send_and_store(&[reading("m", days_ago(1), 5, 1.0)]).await;
    scene.settle().await;
    aggregator.stop().await;

    for (tamper, cure, undo) in [
        ("topic_id = 'old'", "made anew", format!("topic_id = '{}'", scene.identity.topic_id)),
        (
            "next_offset = 100",
            "Kafka ends at 1",
            "next_offset = 1, refused = NULL, refused_end = NULL".to_owned(),
        ),
    ] {
        let update = |what: &str| format!("UPDATE stream_offset SET {what} WHERE consumer = 'aggregator'");
        scene.client.batch_execute(&update(tamper)).await.unwrap();
        let aggregator = scene.start(scene.config());
        aggregator.wait_metric("wattline_aggregator_partitions_stopped", |stopped| stopped == 1).await;
        let missing = aggregator.context.ready.missing().join("\n");
        assert!(missing.contains(cure), "{missing}");
        scene.client.batch_execute(&update(&undo)).await.unwrap();
        // It tries again by itself.
        aggregator.wait_metric("wattline_aggregator_partitions_owned", |owned| owned == 1).await;
        aggregator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_records_are_made_up_for() {
    let mut scene = Scene::new("deleted", 1).await;
    let aggregator = scene.start(scene.config());
    let row = |at: i64| reading("m", days_ago(2) + at * 60_000_000, at * 1_000, 60.0);
    scene.send_and_store(&[row(0)]).await;
    scene.settle().await;
    aggregator.stop().await;

    let readings: Vec<_> = (1..100).map(row).collect();
    scene.send_and_store(&readings).await;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&scene.topic, 0, Offset::Offset(60)).unwrap();
    admin(&scene.stack.kafka_brokers()).delete_records(&list, &AdminOptions::new()).await.unwrap();

    let aggregator = scene.start(scene.config());
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("m").await, 99_000);
    assert_eq!(aggregator.metric("wattline_aggregator_records_lost_total"), 59);
    aggregator.stop().await;

    // Whoever takes it on later makes up for nothing: the log begins late, but the row is an old one.
    let aggregator = scene.start(scene.config());
    aggregator.wait_metric("wattline_aggregator_partitions_owned", |owned| owned == 1).await;
    scene.settle().await;
    assert_eq!(scene.number("SELECT count(*) FROM recompute").await, 0);
    assert_eq!(aggregator.metric("wattline_aggregator_back_filled_total"), 0);
    aggregator.stop().await;
}

/// The client of before has given the partition up for good: without a new one nothing is computed any more after the cure,
/// and nothing says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_under_a_running_aggregator_is_read_after_the_cure() {
    let mut scene = Scene::new("anew", 1).await;
    let aggregator = scene.start(scene.config());
    let row = |at: i64| reading("m", days_ago(1) + at * 60_000_000, at * 1_000, 60.0);
    scene.send_and_store(&[row(0), row(1), row(2)]).await;
    scene.settle().await;
    scene.make_topic_anew().await;
    aggregator.wait_metric("wattline_aggregator_partitions_stopped", |stopped| stopped == 1).await;
    let said = aggregator.context.ready.missing().join(" ");
    assert!(scene.obey(&said).await.contains("are forgotten"), "{said}");
    aggregator.wait_metric("wattline_aggregator_partitions_owned", |owned| owned == 1).await;
    scene.send_and_store(&[row(3), row(4)]).await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("m").await, 4_000);
    aggregator.stop().await;
}
