//! Promise: a stored bucket that is not what its rows give is found and counted, by the service and by `wattlinectl audit`.

use std::time::Duration;

use wattline_service::DatabaseSettings;
use wattlinectl::audit::{Report, Request, audit};

use crate::scene::{Scene, days_ago, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_was_changed_by_hand_is_found() {
    let mut scene = Scene::new("mismatch", 1).await;
    let mut config = scene.config();
    config.audit.interval_ms = 50;
    let aggregator = scene.start(config);
    let readings: Vec<_> =
        (0..60).map(|at| reading("m", days_ago(1) + at * 60_000_000, at * 10_000, 600.0)).collect();
    scene.send_and_store(&readings).await;
    scene.settle().await;
    aggregator.wait_metric("wattline_aggregator_buckets_audited_total", |audited| audited > 0).await;
    assert_eq!(aggregator.metric("wattline_rollup_mismatch_total"), 0);
    let report = ask(&scene, Duration::from_secs(60)).await;
    assert_eq!((report.meters, report.mismatches.len(), report.too_late), (1, 0, false));
    let tamper = "UPDATE energy_15m SET import_wh = import_wh + 0.001 WHERE bucket = (SELECT min(bucket) FROM energy_15m)";
    scene.client.execute(tamper, &[]).await.unwrap();
    aggregator.wait_metric("wattline_rollup_mismatch_total", |mismatches| mismatches > 0).await;
    let report = ask(&scene, Duration::from_secs(60)).await;
    assert_eq!((report.mismatches.len(), report.too_late), (1, false), "{report:?}");
    aggregator.stop().await;

    // What nobody worked off is no mismatch, but it is said.
    scene.send_and_store(&[reading("m", days_ago(1) + 70 * 60_000_000, 700_000, 600.0)]).await;
    let report = ask(&scene, Duration::from_secs(1)).await;
    assert!(report.too_late);
}

async fn ask(scene: &Scene, wait: Duration) -> Report {
    let url = scene.stack.database_url_of(&scene.database, "postgres");
    let settings = DatabaseSettings { url, ..DatabaseSettings::default() };
    audit(
        &settings,
        &Request { meter: Some("m".to_owned()), wait, topic: scene.topic.clone(), ..Request::default() },
    )
    .await
    .unwrap()
}
