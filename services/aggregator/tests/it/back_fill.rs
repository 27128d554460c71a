//! Promise: what is long, old or too much for memory goes to the table `recompute`, the own offset moves on, and the
//! table is worked off while live marks go first.

use crate::scene::{Scene, days_ago, reading};

const MINUTE_US: i64 = 60_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_change_is_spilled_and_worked_off() {
    let mut scene = Scene::new("spill", 3).await;
    let mut config = scene.config();
    config.marks.live_span_s_max = 3_600;
    config.recompute.slice_s = 6 * 3_600;
    config.marks.linger_ms = 1_000;
    let aggregator = scene.start(config);
    let rows = |meter: String| {
        (0..3 * 24 * 30).map(move |at| reading(&meter, days_ago(5) + at * 2 * MINUTE_US, at * 1_000, 30.0))
    };
    let readings: Vec<_> = (0..6).flat_map(|meter| rows(format!("m{meter}"))).collect();
    scene.send_and_store(&readings).await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert!(aggregator.metric("wattline_aggregator_marks_spilled_total") >= 6);
    assert!(aggregator.metric("wattline_aggregator_back_filled_total") >= 6);
    assert_eq!(scene.total_import_mwh("m5").await, (3 * 24 * 30 - 1) * 1_000);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_marks_are_spilled() {
    let mut scene = Scene::new("many", 2).await;
    let mut config = scene.config();
    config.marks.count_max = 1_000;
    // Never due by itself.
    config.marks.linger_ms = 60_000;
    let aggregator = scene.start(config);
    let readings: Vec<_> =
        (0..3_000).map(|meter| reading(&format!("m{meter}"), days_ago(1), 5_000, 1.0)).collect();
    scene.send_and_store(&readings).await;
    aggregator.wait_metric("wattline_aggregator_marks_spilled_total", |spilled| spilled >= 2_000).await;
    aggregator.wait_metric("wattline_aggregator_marks", |marks| marks <= 1_000).await;
    scene.wait_until("SELECT count(*) >= 2000 FROM energy_15m").await;
    aggregator.stop().await;
    // What stayed in memory is read again by the next one.
    let aggregator = scene.start(scene.config());
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.number("SELECT count(*) FROM energy_15m").await, 3_000);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_marks_go_first() {
    let mut scene = Scene::new("first", 2).await;
    let rows = (0..20 * 24 * 60).map(|at| reading("old", days_ago(40) + at * MINUTE_US, at * 500, 30.0));
    let readings: Vec<_> = rows.collect();
    scene.send_and_store(&readings).await;
    let mut config = scene.config();
    config.recompute.slice_s = 900;
    let aggregator = scene.start(config);
    // 1,920 slices of a quarter-hour, each in a transaction of its own.
    scene.wait_until("SELECT count(*) > 0 FROM recompute").await;
    for at in 0..5 {
        let now = reading("new", days_ago(1) + at * MINUTE_US, at * 100, 6.0);
        scene.send_and_store(&[now]).await;
        let done = format!(
            "SELECT EXISTS (SELECT FROM energy_15m JOIN meter USING (meter_key) \
             WHERE meter_id = 'new' AND reading_count = {})",
            at + 1
        );
        scene.wait_until(&done).await;
    }
    assert!(
        scene.number("SELECT count(*) FROM recompute").await > 0,
        "the back-fill has not gone before them"
    );
    aggregator.stop().await;
}

/// A host without a clock of its own that came up before its time service: the database believes that it is days ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_spilled_is_computed_though_the_databases_clock_is_days_behind() {
    let mut scene = Scene::new("behind", 2).await;
    let mut config = scene.config();
    config.marks.live_span_s_max = 600;
    let aggregator = scene.start(config);
    let rows = (0..60).map(|at| reading("m", days_ago(-4) + at * MINUTE_US, at * 1_000, 60.0));
    scene.send_and_store(&rows.collect::<Vec<_>>()).await;
    aggregator.wait_metric("wattline_aggregator_back_filled_total", |rows| rows >= 1).await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("m").await, 59_000);
    aggregator.stop().await;
}
