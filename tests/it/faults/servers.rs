//! Mosquitto, Kafka and PostgreSQL restarted under load; Kafka frozen for a minute.

use std::time::Duration;

use wattline_localstack::ServerKind;
use wattline_tests::ops::Op;

use super::rounds;
use crate::fixture::system;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_restarted_under_load_lose_and_double_nothing() {
    let exclusive = system().await;
    rounds(&exclusive.system, "restart", |_, length| {
        let once = [ServerKind::Mosquitto, ServerKind::Kafka, ServerKind::Timescale]
            .into_iter()
            .flat_map(|kind| [Op::Flow(4000), Op::Restart(kind)]);
        let mut ops: Vec<Op> = (0..length).flat_map(|_| once.clone()).collect();
        ops.push(Op::Flow(4000));
        ops
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_frozen_for_a_minute_loses_and_doubles_nothing() {
    let exclusive = system().await;
    rounds(&exclusive.system, "frozen-kafka", |_, length| {
        vec![
            Op::Flow(4000),
            Op::Freeze(ServerKind::Kafka, Duration::from_secs(60)),
            // Published while it was frozen, and after.
            Op::Flow(4000 * length),
        ]
    })
    .await;
}
