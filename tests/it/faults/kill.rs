//! `kill -9` of mqtt-ingest, timescale-sink and aggregator at random moments, several times each.

use wattline_tests::ops::random_kills;

use super::rounds;
use crate::fixture::system;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_killed_at_random_moments_lose_and_double_nothing() {
    let exclusive = system().await;
    rounds(&exclusive.system, "kill", "kill -9 of services at random moments", |seed| {
        random_kills(seed, 3, 4000)
    })
    .await;
}
