//! A story: messages flow, faults happen, and in the end everything is there, once, with its values.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use wattline_loadtest::books::Door;
use wattline_loadtest::gap::{Gap, GapWatch};
use wattline_loadtest::load::{Before, Load, LoadOptions, settled, verified};
use wattline_loadtest::plan::Plan;
use wattline_loadtest::probe::Probes;
use wattline_loadtest::scenario::Scenario;
use wattline_loadtest::target::Target;
use wattline_loadtest::verify::Verified;
use wattline_reading::Timestamp;

use crate::memory::MemoryWatch;
use crate::ops::Op;
use crate::rollups::rollups_equal_a_recomputation;
use crate::system::System;

/// How long nothing may move before it is a failure: longer than any back-off of a service.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the pipeline may take to move again after the last fault.
pub const GAP_PATIENCE: Duration = Duration::from_secs(180);
const METERS: u32 = 200;
/// Of each meter: more than any story comes to.
const READINGS: u32 = 20_000;

/// What a story came to that lost and doubled nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Survived {
    /// The longest times without anything new.
    pub gap: Gap,
    /// Readings that had to be stored.
    pub sent: u64,
    /// Readings that were read back, once each and with their values.
    pub read_back: u64,
    /// The largest memory of a replica.
    pub memory_mib: u64,
}

/// Publishes with every disturbance at a rate while the ops happen, then checks every promise. A failure names the seed
/// and the ops.
///
/// # Errors
/// What was lost, doubled, different, or too large.
pub async fn survives(
    system: &Arc<System>,
    name: &str,
    seed: u64,
    rate: f64,
    ops: &[Op],
) -> anyhow::Result<Survived> {
    let story = async {
        let memory = MemoryWatch::start(system);
        let target = system.target()?;
        let (plan, verified, gap) =
            publish_under(system, &target, disturbed_plan(name, seed), rate, ops).await?;
        system.heal().await.context("after the last op")?;
        doors_add_up(&system.target()?).await?;
        rollups_equal_a_recomputation(&target, &plan).await?;
        let memory_mib = memory.finish().await?;
        Ok::<_, anyhow::Error>(Survived {
            gap,
            sent: plan.expected().stored,
            read_back: verified.readings,
            memory_mib,
        })
    };
    // A service that can't go on ends and is started again; in a story, by this.
    let outcome = tokio::select! {
        outcome = story => outcome,
        () = system.supervise() => bail!("nobody supervises any more"),
    };
    if outcome.is_err() {
        let logs = system.save_logs(name)?;
        return outcome.with_context(|| {
            format!("{name}, WATTLINE_FAULT_SEED={seed}, logs in {}, ops: {ops:?}", logs.display())
        });
    }
    outcome
}

async fn publish_under(
    system: &Arc<System>,
    target: &Target,
    endless: Plan,
    rate: f64,
    ops: &[Op],
) -> anyhow::Result<(Arc<Plan>, Verified, Gap)> {
    let endless = Arc::new(endless);
    let before = Before::read(&target.connect().await?, &[]).await?;
    let options = LoadOptions { connections: 4, rate: Some(rate) };
    let mut load = Load::start(&endless, &target.broker, options, &Arc::new(Probes::default()));
    let watch = GapWatch::start(target, &load.progress, GAP_PATIENCE);
    for op in ops {
        op.apply(system, &load.progress).await.with_context(|| format!("{op:?}"))?;
    }
    let gap = watch.finish().await?;
    let plan = Arc::new(load.end_now(&endless));
    let expected = plan.expected();
    load.published().await?;
    let after = settled(target, &before, &expected, PATIENCE).await?;
    // Whoever was killed or cut off gets messages again; never fewer, and nothing new by it.
    after.check(&expected, true)?;
    let verified = verified(target, &plan, Duration::ZERO).await?;
    Ok((plan, verified, gap))
}

/// 200 meters with every disturbance, longer than any story; it is ended when the last op is done.
#[must_use]
pub fn disturbed_plan(name: &str, seed: u64) -> Plan {
    let now = Timestamp::now();
    Scenario::disturbed(METERS, READINGS, seed).plan(format!("{name}-{:x}", now.micros()), now)
}

/// The equation at the door holds in each process, and nothing stays in flight.
///
/// # Errors
/// Where it doesn't hold, or something stays in flight.
pub async fn doors_add_up(target: &Target) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let door = Door::ask_all(&target.ingest_admins).await?;
        if door.in_flight == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "messages stay in flight: {door}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
