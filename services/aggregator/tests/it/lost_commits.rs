//! Promise: a database that comes back without its last commits gets right buckets by itself, with no restart and no
//! further record.
//!
//! Without the claim anew nothing tells the aggregator: the mark of the lost reading was cleared at the commit that was
//! lost, the own offset had not moved, and the bucket stays as it was.

use std::time::Duration;

use wattline_localstack::poll_until;

use crate::scene::{PATIENCE, Scene, days_ago, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_computed_in_lost_commits_is_computed_again() {
    let mut scene = Scene::new("lost_commits", 1).await;
    let mut config = scene.config();
    // The own offset stays where it is: only then nothing in the row shows the loss.
    config.recompute.advance_ms = 600_000;
    let aggregator = scene.start(config);
    let row = |minute: i64, mwh: i64| reading("m", days_ago(2) + minute * 60_000_000, mwh, 1.0);
    scene.send_and_store(&[row(0, 0), row(10, 1_000)]).await;
    wait_total(&scene, 1_000).await;
    scene.client.batch_execute("CREATE TABLE kept AS SELECT * FROM energy_15m").await.unwrap();
    scene.send_and_store(&[row(12, 2_000)]).await;
    wait_total(&scene, 2_000).await;

    // As after a failover to a standby that was a moment behind.
    scene
        .client
        .batch_execute(
            "CREATE TABLE lost AS SELECT * FROM reading ORDER BY ts DESC LIMIT 1; \
             BEGIN; DELETE FROM reading WHERE ts = (SELECT ts FROM lost); DELETE FROM energy_15m; \
             INSERT INTO energy_15m SELECT * FROM kept; \
             UPDATE stream_offset SET next_offset = 2, stored = 2 WHERE consumer = 'timescale-sink'; COMMIT; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name LIKE 'wattline-aggregator%'",
        )
        .await
        .unwrap();
    wait_total(&scene, 1_000).await;
    // The sink reads the record again, and stores it.
    scene
        .client
        .batch_execute(
            "BEGIN; INSERT INTO reading SELECT * FROM lost; \
             UPDATE stream_offset SET next_offset = 3, stored = 3 WHERE consumer = 'timescale-sink'; COMMIT",
        )
        .await
        .unwrap();
    wait_total(&scene, 2_000).await;
    scene.assert_equals_recomputation().await;
    aggregator.stop().await;
}

async fn wait_total(scene: &Scene, mwh: i64) {
    poll_until(&format!("{mwh} mWh"), PATIENCE, Duration::from_millis(50), async || {
        Ok((scene.total_import_mwh("m").await == mwh).then_some(()))
    })
    .await
    .unwrap();
}
