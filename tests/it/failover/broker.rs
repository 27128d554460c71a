//! A pair of MQTT brokers of which one is in charge, with what the charts render for it.

use std::fs;

use wattline_localstack::{ServerKind, StackOptions};
use wattline_tests::ops::Op;

use super::{FLOW, rendered, rounds, start};
use crate::fixture::assert_ok;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn a_broker_in_charge_lost_under_load_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in assert_ok(rendered("wattline-mqtt").await) {
        fs::write(folder.path().join(file), text).expect("the chart's file");
    }
    let servers = [ServerKind::Artemis, ServerKind::Kafka, ServerKind::Timescale];
    let options = StackOptions::new().servers(&servers).artemis_files(folder.path());
    let system = start(options, 1).await;
    rounds(&system, "artemis-killed", "Artemis: primary killed, back in charge in the end", async || {
        vec![
            FLOW,
            Op::KillServer("artemis-0"),
            Op::AwaitStored(15_000),
            Op::ReturnServer("artemis-0"),
            Op::AwaitServer("artemis-1"),
            FLOW,
        ]
    })
    .await;
}
