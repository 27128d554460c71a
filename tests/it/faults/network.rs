//! The network between the services and a server fails: connections are reset and refused, or stay open and nothing
//! arrives. Each server in turn.

use std::time::Duration;

use wattline_localstack::ServerKind;
use wattline_tests::ops::Op;

use super::{apart, rounds};
use crate::fixture::system;

const SERVERS: [ServerKind; 3] = [ServerKind::Mosquitto, ServerKind::Kafka, ServerKind::Timescale];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make faults"]
async fn connections_that_are_cut_lose_and_double_nothing() {
    // One system at a time.
    let _exclusive = system().await;
    let system = apart(|shape| shape.through_network = true).await;
    for server in SERVERS {
        let what = format!("connections to {server:?} cut for 10 s");
        rounds(&system, &format!("cut-{server:?}"), &what, |_| {
            vec![Op::Flow(3000), Op::Cut(server, Duration::from_secs(10)), Op::Flow(3000)]
        })
        .await;
    }
}

/// Longer than it takes each client to notice that nobody answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make faults"]
async fn packets_that_are_lost_in_silence_lose_and_double_nothing() {
    let _exclusive = system().await;
    let system = apart(|shape| shape.through_network = true).await;
    for server in SERVERS {
        let what = format!("nothing arrives at {server:?} or from it for a minute");
        rounds(&system, &format!("silence-{server:?}"), &what, |_| {
            vec![Op::Flow(3000), Op::LosePackets(server, Duration::from_secs(60)), Op::Flow(3000)]
        })
        .await;
    }
}
