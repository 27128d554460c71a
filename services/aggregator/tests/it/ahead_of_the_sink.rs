//! Promise: it never reads further ahead of the sink than it may, computes nothing that the sink has not stored, and
//! goes on by itself when the sink does.

use std::time::Duration;

use crate::scene::{Scene, days_ago, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_pauses_ahead_of_the_sink() {
    const AHEAD_MAX: i64 = 1_000;
    let mut scene = Scene::new("ahead", 2).await;
    let mut config = scene.config();
    config.input.ahead_records_max = AHEAD_MAX;
    let aggregator = scene.start(config);

    let from_us = days_ago(2);
    let rows = |meter: &'static str, first: i64| {
        (first..first + 2_500).map(move |at| reading(meter, from_us + at * 10_000_000, at * 100, 36.0))
    };
    let readings: Vec<_> = ["a", "b", "c", "d"].into_iter().flat_map(|meter| rows(meter, 0)).collect();
    scene.send(&readings).await;

    aggregator.wait_metric("wattline_aggregator_records_consumed_total", |read| read > 300).await;
    // Nothing tells that it has stopped but that nothing happens.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let read = aggregator.metric("wattline_aggregator_records_consumed_total");
    assert!(read <= AHEAD_MAX, "read {read} records, the sink has none");
    assert_eq!(scene.number("SELECT count(*) FROM energy_15m").await, 0, "nothing is stored yet");

    scene.store().await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("a").await, 2_499 * 100);

    let more: Vec<_> = ["a", "b", "c", "d"].into_iter().flat_map(|meter| rows(meter, 2_500)).collect();
    let before = aggregator.metric("wattline_aggregator_records_consumed_total");
    scene.send(&more).await;
    aggregator.wait_metric("wattline_aggregator_records_consumed_total", |read| read > before + 300).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let read = aggregator.metric("wattline_aggregator_records_consumed_total") - before;
    assert!(read <= AHEAD_MAX, "read {read} more records, the sink has none of them");
    scene.store().await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("d").await, 4_999 * 100);
    aggregator.stop().await;
}
