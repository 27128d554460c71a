//! A pair of databases under Patroni, with a synchronous standby: what was committed on one is on the other.

use wattline_localstack::{ServerKind, StackOptions};
use wattline_tests::ops::Op;
use wattline_tests::system::System;

use super::{FLOW, rendered, rounds, start};
use crate::fixture::assert_ok;

/// The one that leads, and the other.
async fn leader_and_standby(system: &System) -> (&'static str, &'static str) {
    match &*assert_ok(system.stack.database_leader().await) {
        "patroni-1" => ("patroni-1", "patroni-2"),
        _ => ("patroni-2", "patroni-1"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn a_leading_database_lost_under_load_loses_and_doubles_nothing() {
    let patroni = assert_ok(rendered("wattline-timescaledb").await);
    for setting in ["ttl: 20", "loop_wait: 3", "retry_timeout: 6", "synchronous_mode: true"] {
        let same = patroni.values().any(|text| text.contains(setting));
        assert!(same, "the stack has {setting}, which the charts have no more: {patroni:?}");
    }
    let servers = [ServerKind::Mosquitto, ServerKind::Kafka, ServerKind::Patroni];
    let system = start(StackOptions::new().servers(&servers), 1).await;
    rounds(
        &system,
        "patroni-killed",
        "Patroni: leader killed with its PostgreSQL, back after the failover",
        async || {
            let (leader, standby) = leader_and_standby(&system).await;
            vec![FLOW, Op::KillServer(leader), Op::AwaitLeader(standby), FLOW, Op::ReturnServer(leader), FLOW]
        },
    )
    .await;

    rounds(
        &system,
        "postmaster-killed",
        "Patroni: PostgreSQL of the leader killed, started again in place",
        async || {
            let (leader, _) = leader_and_standby(&system).await;
            vec![FLOW, Op::KillPostmaster(leader), FLOW]
        },
    )
    .await;
}
