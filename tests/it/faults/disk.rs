//! The disk of the database or of Kafka is full for a while.

use std::time::Duration;

use wattline_localstack::ServerKind;
use wattline_tests::ops::Op;
use wattline_tests::system::Shape;

use super::{apart, rounds};
use crate::fixture::system;

/// Enough for what the database writes in twenty rounds.
const DISK_MIB: u32 = 700;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a mount namespace: make faults"]
async fn a_full_disk_of_the_database_loses_and_doubles_nothing() {
    full(ServerKind::Timescale).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a mount namespace: make faults"]
async fn a_full_disk_of_kafka_loses_and_doubles_nothing() {
    full(ServerKind::Kafka).await;
}

async fn full(server: ServerKind) {
    // One system at a time.
    let _exclusive = system().await;
    let small = |shape: &mut Shape| shape.servers = shape.servers.clone().small_disk(server, DISK_MIB);
    let system = apart(small).await;
    rounds(&system, &format!("full-disk-{server:?}"), &format!("disk of {server:?} full for 15 s"), |_| {
        vec![Op::Flow(3000), Op::FillDisk(server, Duration::from_secs(15)), Op::Flow(3000)]
    })
    .await;
}
