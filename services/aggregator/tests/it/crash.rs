//! Promise: killed with -9 at any moment, it comes back with no help and rollups equal a recomputation.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::scene::{Scene, days_ago, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments() {
    let mut random = StdRng::seed_from_u64(11);
    let mut scene = Scene::new("crash", 4).await;
    let aggregator = scene.start_process(0, &[]);
    aggregator.wait_ready().await.unwrap();
    let meters = 40;
    for round in 0..8_i64 {
        for part in 0..4_i64 {
            let step = round * 4 + part;
            let readings: Vec<_> = (0..meters)
                .flat_map(|meter| {
                    (0..30_i64).map(move |at| {
                        let at = step * 30 + at;
                        reading(
                            &format!("m{meter}"),
                            days_ago(3) + at * 20_000_000,
                            at * (1_000 + meter),
                            180.0,
                        )
                    })
                })
                .collect();
            scene.send(&readings).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..150))).await;
            scene.store().await;
        }
        aggregator.kill().await.unwrap();
        aggregator.start_again().unwrap();
    }
    scene.settle().await;
    scene.assert_equals_recomputation().await;
    for meter in [0, 17, 39] {
        let expected = (8 * 4 * 30 - 1) * (1_000 + meter);
        assert_eq!(scene.total_import_mwh(&format!("m{meter}")).await, expected);
    }
    aggregator.stop().await.unwrap();
}
