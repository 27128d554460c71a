//! Mosquitto, Kafka and PostgreSQL restarted under load; Kafka frozen for a minute.

use std::time::Duration;

use wattline_localstack::ServerKind;
use wattline_tests::ops::Op;

use super::rounds;
use crate::fixture::system;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_restarted_under_load_lose_and_double_nothing() {
    let exclusive = system().await;
    rounds(&exclusive.system, "restart", "Mosquitto, Kafka and PostgreSQL restarted", |_| {
        let once = [ServerKind::Mosquitto, ServerKind::Kafka, ServerKind::Timescale]
            .into_iter()
            .flat_map(|kind| [Op::Flow(4000), Op::Restart(kind)]);
        once.chain([Op::Flow(4000)]).collect()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_frozen_for_a_minute_loses_and_doubles_nothing() {
    let exclusive = system().await;
    rounds(&exclusive.system, "frozen-kafka", "Kafka frozen for a minute", |_| {
        vec![
            Op::Flow(4000),
            Op::Freeze(ServerKind::Kafka, Duration::from_secs(60)),
            // Published while it was frozen, and after.
            Op::Flow(4000),
        ]
    })
    .await;
}
