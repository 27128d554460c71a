//! Two sites whose Kafkas are mirrored into one topic: MirrorMakers are killed in the middle of their work.

mod as_it_was;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio_postgres::Client;
use wattline_loadtest::books::Store;
use wattline_loadtest::expected::Expected;
use wattline_loadtest::gap::{Gap, GapWatch};
use wattline_loadtest::load::{After, Before, Load, LoadOptions};
use wattline_loadtest::plan::Plan;
use wattline_loadtest::probe::Probes;
use wattline_loadtest::processes::memory_peak_bytes;
use wattline_loadtest::target::Target;
use wattline_loadtest::verify::verify;
use wattline_localstack::{ServiceKind, poll_until};
use wattline_reading::{Timestamp, topics};
use wattline_tests::load::{GAP_PATIENCE, disturbed_plan, doors_add_up};
use wattline_tests::memory::MemoryWatch;
use wattline_tests::ops::Op;
use wattline_tests::rollups::rollups_equal_a_recomputation;
use wattline_tests::sites::{Site, Sites, settings};

use super::{report, round_count, say};
use crate::fixture::assert_ok;

/// Messages per second of each site.
const RATE: f64 = 250.0;
/// A few seconds of them.
const FLOW: Op = Op::Flow(1500);
/// How long the store may take to get there: a MirrorMaker that was killed is back in less.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who is killed in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// The MirrorMaker of the first site.
    One,
    /// Both, and a sink.
    Both,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long, needs MirrorMaker: make failover"]
async fn two_sites_mirrored_exactly_once_lose_and_double_nothing() {
    let settings = assert_ok(settings());
    let sites = assert_ok(Sites::start(&settings).await);
    assert_ok(as_it_was::records_arrive_as_they_were(&sites).await);
    for (killed, what) in [
        (Killed::One, "MirrorMaker of one of two sites killed, exactly once"),
        (Killed::Both, "Both MirrorMakers and a sink killed, exactly once"),
    ] {
        rounds(&sites, killed, what, Mirrored::Once).await;
    }
}

/// What a MirrorMaker copies again after a kill are duplicates in the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long, needs MirrorMaker: make failover"]
async fn two_sites_mirrored_at_least_once_lose_and_double_nothing() {
    let settings = assert_ok(settings()).replace("source.support = enabled", "source.support = disabled");
    let sites = assert_ok(Sites::start(&settings).await);
    for (killed, what) in [
        (Killed::One, "MirrorMaker of one of two sites killed, at least once"),
        (Killed::Both, "Both MirrorMakers and a sink killed, at least once"),
    ] {
        rounds(&sites, killed, what, Mirrored::AtLeastOnce).await;
    }
}

/// What MirrorMaker promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mirrored {
    Once,
    AtLeastOnce,
}

async fn rounds(sites: &Sites, killed: Killed, what: &str, mirrored: Mirrored) {
    let mut gaps = Vec::new();
    for round in 0..round_count() {
        let name = format!("mirror-{mirrored:?}-{killed:?}-{round}").to_lowercase();
        let outcome = tokio::select! {
            outcome = survives(sites, &name, killed, mirrored) => outcome,
            () = sites.central.supervise() => panic!("nobody supervises any more"),
        };
        if outcome.is_err() {
            say(&format!("logs in {}", assert_ok(sites.central.save_logs(&name)).display()));
        }
        let gap = assert_ok(outcome.with_context(|| name.clone()));
        say(&format!("{name}: {gap:?}"));
        gaps.push(gap);
    }
    report(what, &gaps);
    for site in &sites.sites {
        let peak = site.mirror.pid().map_or(0, memory_peak_bytes) / 1024 / 1024;
        say(&format!("MirrorMaker of {}: {peak} MiB at most", site.name));
    }
}

async fn survives(sites: &Sites, name: &str, killed: Killed, mirrored: Mirrored) -> anyhow::Result<Gap> {
    let memory = MemoryWatch::start(&sites.central);
    let target = sites.target(&sites.sites[0])?;
    let client = target.connect().await?;
    let before = Before::read(&client, &[]).await?;
    let mut loads = Vec::new();
    for site in &sites.sites {
        loads.push(Publishing::start(sites, site, name)?);
    }
    let watch = GapWatch::start(&target, &loads[0].load.progress, GAP_PATIENCE);
    for load in &loads {
        load.arrives(&client).await?;
    }
    kill(sites, killed).await?;
    FLOW.apply(&sites.central, &loads[0].load.progress).await?;
    let gap = watch.finish().await?;

    let mut expected = Expected::default();
    let mut plans = Vec::new();
    for load in &mut loads {
        let plan = load.end().await?;
        expected += plan.expected();
        plans.push(plan);
    }
    let after = settled(&client, &before, &expected).await?;
    after.check(&expected, mirrored == Mirrored::AtLeastOnce)?;
    let again = after.readings.duplicate - i64::try_from(expected.duplicate)?;
    say(&format!("{name}: {}; {again} readings were copied again", after.readings));
    if mirrored == Mirrored::AtLeastOnce {
        ensure!(after.readings.absent == 0, "a transaction without exactly once: {}", after.readings);
    } else {
        ensure!(after.readings.absent > 0, "no transaction at all: {}", after.readings);
    }
    for plan in &plans {
        let verified = verify(&client, plan).await?;
        let wanted = plan.expected();
        ensure!(verified.readings == wanted.stored && verified.conflicts == wanted.conflict, "{verified:?}");
        rollups_equal_a_recomputation(&target, plan).await?;
    }
    nothing_waits(sites).await?;
    sites.central.audit().await?;
    memory.finish().await?;
    Ok(gap)
}

/// At a moment that differs from round to round; what was killed is started again at once.
async fn kill(sites: &Sites, killed: Killed) -> anyhow::Result<()> {
    let now = Timestamp::now().micros().unsigned_abs();
    tokio::time::sleep(Duration::from_millis(now % 500)).await;
    let count = if killed == Killed::One { 1 } else { 2 };
    for site in &sites.sites[..count] {
        site.mirror.kill().await?;
    }
    if killed == Killed::Both {
        // Started again by the supervisor.
        sites.central.replicas_of(ServiceKind::TimescaleSink)[0].process.kill().await?;
    }
    for site in &sites.sites[..count] {
        site.mirror.start_again()?;
    }
    Ok(())
}

/// What one site's meters publish.
struct Publishing {
    endless: Arc<Plan>,
    load: Load,
    target: Target,
}

// === impl Publishing ===

impl Publishing {
    fn start(sites: &Sites, site: &Site, name: &str) -> anyhow::Result<Self> {
        let target = sites.target(site)?;
        let seed = Timestamp::now().micros().unsigned_abs();
        let endless = Arc::new(disturbed_plan(&format!("{name}-{}", site.name), seed));
        let options = LoadOptions { connections: 2, rate: Some(RATE) };
        let load = Load::start(&endless, &target.broker, options, &Arc::new(Probes::default()));
        Ok(Self { endless, load, target })
    }

    /// Waits until its MirrorMaker is in the middle of its work.
    async fn arrives(&self, client: &Client) -> anyhow::Result<()> {
        let sql = "SELECT count(*) FROM reading JOIN meter USING (meter_key) WHERE starts_with(meter_id, $1)";
        poll_until("some hundred readings of a site", PATIENCE, Duration::from_millis(100), async || {
            let stored: i64 = client.query_one(sql, &[&self.endless.prefix]).await?.get(0);
            Ok((stored > 500).then_some(()))
        })
        .await
    }

    /// What it had published in the end.
    async fn end(&mut self) -> anyhow::Result<Arc<Plan>> {
        let plan = Arc::new(self.load.end_now(&self.endless));
        self.load.published().await?;
        doors_add_up(&self.target).await?;
        Ok(plan)
    }
}

/// Waits for all that is expected. Kafka's end says nothing here: its last offsets are markers.
async fn settled(client: &Client, before: &Before, expected: &Expected) -> anyhow::Result<After> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let after = After {
            readings: Store::read(client, &topics::READINGS).await?.since(&before.readings),
            dead_letters: Store::read(client, &topics::DEAD_LETTERS).await?.since(&before.dead_letters),
        };
        match after.check(expected, true) {
            Ok(()) => return Ok(after),
            Err(error) if Instant::now() > deadline => bail!("after {PATIENCE:?}: {error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Nobody lags for a marker, and the live tail has found every key in its place.
async fn nothing_waits(sites: &Sites) -> anyhow::Result<()> {
    for replica in sites.central.replicas() {
        let process = &replica.process;
        let what = format!("{} {} to have nothing left to read", process.kind(), replica.ordinal);
        poll_until(&what, PATIENCE, Duration::from_millis(500), async || {
            let text = process.metrics().await?;
            let waits = text.lines().any(|line| line.contains("lag_records") && is_not_0(line));
            Ok((!waits).then_some(()))
        })
        .await?;
        let text = process.metrics().await?;
        let misplaced = text.lines().find(|line| line.contains("tail_misplaced_total") && is_not_0(line));
        ensure!(misplaced.is_none(), "a meter is in another partition than its own: {misplaced:?}");
    }
    Ok(())
}

fn is_not_0(line: &str) -> bool {
    !line.starts_with('#') && line.rsplit(' ').next().is_some_and(|value| value.parse() != Ok(0.0))
}
