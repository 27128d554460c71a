//! Servers that are several lose one under load, and services change their version: nothing is lost, nothing doubled.
//!
//! `make failover` runs these and prints the gaps; they take minutes and need servers of their own, so `make test` leaves
//! them out. `WATTLINE_FAULT_ROUNDS=n` repeats each, 3 times by default.

mod broker;
mod database;
mod kafka;
mod leaderless;
mod mirror;
mod upgrade;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use wattline_charts_tests::charts::{self, Charts, Environment};
use wattline_charts_tests::object::{kind, name, strings};
use wattline_loadtest::gap::Gap;
use wattline_localstack::{KafkaTuning, StackOptions};
use wattline_reading::Timestamp;
use wattline_tests::load::{Survived, survives};
use wattline_tests::ops::Op;
use wattline_tests::system::{Shape, System};

use crate::fixture::assert_ok;

/// Messages per second: less than two cores can do with several of each server on them, so that a gap is the fault's.
const RATE: f64 = 1000.0;
/// A few seconds of load.
const FLOW: Op = Op::Flow(4000);

/// Two replicas of each service, with their default timeouts.
async fn start(servers: StackOptions, replication: i32) -> Arc<System> {
    let servers = servers.kafka_tuning(KafkaTuning::Throughput);
    let shape = Shape { ingests: 2, sinks: 2, aggregators: 2, servers, replication, ..Shape::default() };
    Arc::new(assert_ok(System::start(shape).await))
}

/// Runs a story as often as asked for, and reports its gaps. `ops` makes them anew for each round.
async fn rounds(system: &Arc<System>, name: &str, what: &str, ops: impl AsyncFn() -> Vec<Op>) {
    let rounds = round_count();
    let mut gaps = Vec::new();
    for round in 0..rounds {
        gaps.push(once(system, &format!("{name}-{round}"), &ops().await).await);
    }
    report(what, &gaps);
}

fn round_count() -> u32 {
    std::env::var("WATTLINE_FAULT_ROUNDS").map_or(3, |text| text.parse().expect("a number"))
}

async fn once(system: &Arc<System>, name: &str, ops: &[Op]) -> Gap {
    let seed = Timestamp::now().micros().unsigned_abs();
    let Survived { gap, .. } = assert_ok(survives(system, name, seed, RATE, ops).await);
    say(&format!("{name}: {gap:?}"));
    assert_ok(system.heal().await);
    gap
}

/// The files of a ConfigMap in prod, without the TLS that prod insists on: the tests of the charts have it.
async fn rendered(config_map: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let folder = tempfile::tempdir()?;
    let helm = charts::helm(&folder.path().join("helm"))?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts");
    let charts = Charts::copy(&helm, &from, &folder.path().join("charts")).await?;
    let without_tls = ["--set", "global.environment=staging,global.tls.enabled=false"];
    let objects = charts.render(&helm, Environment::Prod, &without_tls).await?;
    let map = objects.iter().find(|object| kind(object) == "ConfigMap" && name(object) == config_map);
    Ok(strings(&map.with_context(|| format!("no ConfigMap {config_map} is rendered"))?["data"]))
}

/// Past the test harness, which shows nothing of a test that passes.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("writing to standard error");
}

/// One line of the table in `docs/failover.md`, to the file that `WATTLINE_FAILOVER_REPORT` names.
fn report(what: &str, gaps: &[Gap]) {
    let column = |of: fn(&Gap) -> Duration| {
        let mut all: Vec<f64> = gaps.iter().map(|gap| of(gap).as_secs_f64()).collect();
        all.sort_by(f64::total_cmp);
        match (all.first(), all.get(all.len() / 2), all.last()) {
            (Some(least), Some(median), Some(most)) => format!("{median:.1} ({least:.1}–{most:.1})"),
            _ => "none".to_owned(),
        }
    };
    let line = format!(
        "| {what} | {} | {} | {} |",
        gaps.len(),
        column(|gap| gap.stored),
        column(|gap| gap.acknowledged)
    );
    say(&line);
    if let Some(path) = std::env::var_os("WATTLINE_FAILOVER_REPORT") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the report's file");
        writeln!(file, "{line}").expect("writing the report");
    }
}
