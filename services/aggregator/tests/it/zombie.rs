//! Promise: an aggregator that was frozen inside its recomputation and thaws when another one has long gone on never
//! overwrites newer buckets.
//!
//! Seen to fail without the guard: with READ COMMITTED and the owner read without `FOR SHARE`, `frozen_before_it_writes`
//! found 2000 mWh where the heir had stored 4000: the thawed one wrote what its old rows gave, and nobody put it right.
//! With REPEATABLE READ and still no `FOR SHARE` the value was right, for the write met 40001; but in
//! `frozen_before_it_commits` the heir waited a minute for the zombie's row locks, until the server's limit of idle
//! transactions ended it. With the lock, the claim itself finds the zombie and ends it after `lock_timeout_ms`.

use std::time::Duration;

use wattline_localstack::poll_until;

use crate::scene::{PATIENCE, Scene, connect, days_ago, reading};

const MINUTE_US: i64 = 60_000_000;

/// Frozen when it has read the raw rows and written nothing: an ACCESS EXCLUSIVE lock holds up its look at the stored
/// buckets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_before_it_writes() {
    freeze_in_recomputation("zombie_before", "ACCESS EXCLUSIVE").await;
}

/// Frozen when the database has its buckets and waits for its COMMIT: an EXCLUSIVE lock holds up its write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_before_it_commits() {
    freeze_in_recomputation("zombie_after", "EXCLUSIVE").await;
}

async fn freeze_in_recomputation(name: &str, lock: &str) {
    let mut scene = Scene::new(name, 1).await;
    let settings = [("AUDIT__INTERVAL_MS", "0")];
    let row = |minute: i64, mwh: i64| reading("m", days_ago(2) + minute * MINUTE_US, mwh, 1.0);
    let zombie = scene.start_process(0, &settings);
    zombie.wait_ready().await.unwrap();
    scene.send_and_store(&[row(0, 0), row(10, 1_000)]).await;
    scene.settle().await;
    assert_eq!(scene.total_import_mwh("m").await, 1_000);

    let mut gate = connect(&scene.stack.database_url_of(&scene.database, "postgres")).await;
    let gate = gate.transaction().await.unwrap();
    gate.batch_execute(&format!("LOCK TABLE energy_15m IN {lock} MODE")).await.unwrap();
    scene.send_and_store(&[row(12, 2_000)]).await;
    scene
        .wait_until(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'energy_15m'::regclass)",
        )
        .await;
    zombie.freeze().await.unwrap();
    gate.rollback().await.unwrap();

    scene.send_and_store(&[row(14, 4_000)]).await;
    let heir = scene.start_process(1, &settings);
    scene.settle().await;
    assert_eq!(scene.total_import_mwh("m").await, 4_000, "the heir has gone on");

    zombie.thaw().await.unwrap();
    // It is back when it has a part of the group again, or none but an answer.
    let back = poll_until("the thawed one", PATIENCE, Duration::from_millis(100), async || {
        Ok(std::fs::read_to_string(zombie.log_file())?.contains("the group takes back").then_some(()))
    });
    back.await.unwrap();
    zombie.wait_ready().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.total_import_mwh("m").await, 4_000, "the zombie has overwritten newer buckets");
    scene.send_and_store(&[row(15, 4_500), row(16, 5_000)]).await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    assert_eq!(scene.total_import_mwh("m").await, 5_000);
    heir.stop().await.unwrap();
    zombie.stop().await.unwrap();
}
