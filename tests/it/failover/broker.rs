//! A pair of MQTT brokers of which one is in charge, with what the charts render for it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::Publisher;
use wattline_localstack::{ServerKind, StackOptions};
use wattline_reading::Timestamp;
use wattline_tests::ops::Op;

use super::{FLOW, rendered, rounds, start};
use crate::fixture::assert_ok;

/// Artemis does not say by which subscription a copy of a message comes: none may be taken for the second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Artemis: make failover"]
async fn what_several_filters_take_is_stored_where_no_copy_is_named() {
    const MESSAGES: i64 = 20;
    let folder = tempfile::tempdir().expect("a folder");
    let system = start(options(folder.path()).await, 1).await;
    let first_us = Timestamp::now().micros();
    // Both `wattline/+/reading` and Shelly's `+/status/+` take it.
    let messages = (0..MESSAGES).map(|number| Message {
        topic: "wattline/status/reading".into(),
        payload: format!(r#"{{"ts":{},"power_w":{number}}}"#, first_us / 1000 + number).into_bytes(),
        first_of: None,
    });
    let target = assert_ok(system.target());
    let mut publisher = Publisher::new(target.broker.clone(), "several".to_owned(), Arc::default());
    let stop = CancellationToken::new();
    assert_ok(publisher.publish(&mut messages.into_iter(), Pace::unlimited(), &stop).await);
    let client = assert_ok(target.connect().await);
    let sql = "SELECT count(*) FROM reading JOIN meter USING (meter_key) WHERE meter_id = 'status'";
    let stored = system.wait_for("all of them to be stored", async || {
        Ok(client.query_one(sql, &[]).await?.get::<_, i64>(0) == MESSAGES)
    });
    assert_ok(stored.await);
    // Of a connection that is reset before it has said anything: the proxy's checks, one a second, must be none.
    let log = fs::read_to_string(system.stack.dir().join("logs/artemis-0.log")).expect("the broker's log");
    assert!(log.contains("AMQ221007") && !log.contains("AMQ224126"), "{log}");
}

/// A pair behind HAProxy, with the other servers.
async fn options(folder: &Path) -> StackOptions {
    for (file, text) in assert_ok(rendered("wattline-mqtt").await) {
        fs::write(folder.join(file), text).expect("the chart's file");
    }
    let servers = [ServerKind::Artemis, ServerKind::Kafka, ServerKind::Timescale];
    StackOptions::new().servers(&servers).artemis_files(folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn a_broker_in_charge_lost_under_load_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let system = start(options(folder.path()).await, 1).await;
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

/// Artemis deletes the queue of a subscription whose connection ends before it stands, with what waits there for the group: so
/// no connection ends because a broker pauses, and one SUBSCRIBE at a time is on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn a_broker_in_charge_that_pauses_again_and_again_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let system = start(options(folder.path()).await, 1).await;
    rounds(&system, "artemis-paused", "Artemis: primary frozen for 4, 6, 5 and 4 s", async || {
        vec![FLOW, pause(4), FLOW, pause(6), pause(5), Op::Flow(500), pause(4), FLOW]
    })
    .await;
}

/// Then both are in charge until the first one is ended, as `docs/runbooks/BrokerSplit.md` says. Not the second, to which everybody is
/// led: what it alone has goes with it (ended under load, 11 of 40,800 readings).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn a_broker_that_wakes_up_after_it_was_replaced_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let system = start(options(folder.path()).await, 1).await;
    let what =
        "Artemis: primary frozen for 40 s, the backup in charge, then both until the first one is ended";
    rounds(&system, "artemis-replaced", what, async || {
        vec![
            FLOW,
            pause(40),
            FLOW,
            Op::KillServer("artemis-0"),
            Op::ReturnServer("artemis-0"),
            Op::AwaitServer("artemis-1"),
            FLOW,
        ]
    })
    .await;
}

fn pause(seconds: u64) -> Op {
    Op::FreezeServer("artemis-0", Duration::from_secs(seconds))
}
