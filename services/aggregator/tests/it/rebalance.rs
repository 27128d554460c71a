//! Promise: two replicas share the work; adding one and removing one, gracefully or not, loses and doubles nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use wattline_localstack::poll_until;

use crate::scene::{PATIENCE, Scene, days_ago, reading};

async fn owners(scene: &Scene) -> BTreeSet<String> {
    let query = "SELECT owner::text FROM stream_offset WHERE consumer = 'aggregator'";
    scene.client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn wait_owners(scene: &Scene, count: usize) {
    let wait = poll_until("owners", PATIENCE, Duration::from_millis(100), async || {
        Ok((owners(scene).await.len() == count).then_some(()))
    });
    wait.await.unwrap();
}

async fn flow(scene: &mut Scene, rounds: std::ops::Range<i64>) {
    for round in rounds {
        let readings: Vec<_> = (0..30)
            .flat_map(|meter| {
                (0..10).map(move |at| {
                    let at = round * 10 + at;
                    reading(&format!("m{meter}"), days_ago(2) + at * 30_000_000, at * 777, 93.0)
                })
            })
            .collect();
        scene.send_and_store(&readings).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_come_and_go() {
    let mut scene = Scene::new("rebalance", 6).await;
    let first = scene.start(scene.config());
    flow(&mut scene, 0..20).await;
    scene.settle().await;
    assert_eq!(owners(&scene).await.len(), 1);

    let second = scene.start(scene.config());
    flow(&mut scene, 20..40).await;
    wait_owners(&scene, 2).await;
    flow(&mut scene, 40..60).await;
    first.stop().await;
    flow(&mut scene, 60..80).await;
    wait_owners(&scene, 1).await;

    let third = scene.start_process(3, &[]);
    third.wait_ready().await.unwrap();
    wait_owners(&scene, 2).await;
    flow(&mut scene, 80..100).await;
    third.kill().await.unwrap();
    flow(&mut scene, 100..120).await;
    wait_owners(&scene, 1).await;
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    for meter in 0..30 {
        assert_eq!(scene.total_import_mwh(&format!("m{meter}")).await, 1_199 * 777, "m{meter}");
    }
    assert_eq!(second.metric("wattline_rollup_mismatch_total"), 0);
    second.stop().await;
}
