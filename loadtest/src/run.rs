//! The whole path: publish a plan, wait until it is stored, check all of it, report.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio_util::sync::CancellationToken;
use tracing::info;
use wattline_reading::Timestamp;

use crate::books::Door;
use crate::expected::Expected;
use crate::latency::microseconds;
use crate::load::{After, Before, Load, LoadOptions, settled};
use crate::mixed;
use crate::probe::Probes;
use crate::processes::{Machine, Watcher, number};
use crate::report::{Latency, Rates, Report, date};
use crate::scenario::Scenario;
use crate::target::{Target, register_meters};
use crate::verify::verify;

/// A wait without progress for this long is a failure.
const PATIENCE: Duration = Duration::from_secs(120);
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// What is stored was confirmed by Kafka; mqtt-ingest hears of it a moment later.
const DOOR_PATIENCE: Duration = Duration::from_secs(20);

/// Runs a scenario against a running stack.
///
/// # Errors
/// Where the stack can't be used, or any check fails.
pub async fn run(target: &Target, scenario: &Scenario, now: Timestamp) -> anyhow::Result<Report> {
    scenario.check()?;
    let prefix = format!("load-{:x}", now.micros() / 1000);
    let plan = Arc::new(scenario.plan(prefix, now));
    let expected = plan.expected();
    let client = target.connect().await?;
    register_meters(&client, &plan).await?;
    let before = Before::read(&client, &target.ingest_admins).await?;
    let probes = Arc::new(Probes::default());
    let stop_probes = CancellationToken::new();
    let probing =
        tokio::spawn(Arc::clone(&probes).watch(target.connect().await?, stop_probes.clone(), PROBE_PATIENCE));

    let watcher = Watcher::start(&target.processes);
    let begin = Instant::now();
    let options = LoadOptions { connections: scenario.connections, rate: scenario.rate };
    let mut load = Load::start(&plan, &target.broker, options, &probes);
    load.published().await?;
    let in_s = Instant::now().saturating_duration_since(begin).as_secs_f64();
    info!("{} messages published in {in_s:.2} s", expected.messages);
    stop_probes.cancel();
    let after = settled(target, &before, &expected, PATIENCE).await?;
    let stored_s = Instant::now().saturating_duration_since(begin).as_secs_f64();
    let usage = watcher.finish().await?;
    info!("all of it stored in {stored_s:.2} s");

    let door = door_since(target, &before).await?;
    let resent = load.progress.resent.load(Ordering::Relaxed);
    let redelivered = resent > 0 || door.is_some_and(|door| door.received > expected.messages);
    if plan.mixed {
        mixed::check(&after, &expected)?;
    } else {
        after.check(&expected, redelivered)?;
    }
    if let Some(door) = &door {
        check_door(door, &after, &expected)?;
    }
    let verified =
        if plan.mixed { mixed::verify(&client, &plan).await? } else { verify(&client, &plan).await? };
    let visible_us = probing.await??;
    let mut puback_us = microseconds();
    puback_us.add(&*load.puback_us.lock())?;
    Ok(Report {
        title: scenario.title.clone(),
        date: date(now),
        machine: Machine::this()?,
        expected,
        rates: Rates {
            count: expected.messages,
            payload_bytes: number(load.progress.payload_bytes.load(Ordering::Relaxed))
                / number(expected.messages),
            in_s,
            stored_s,
        },
        puback: Latency::of(&puback_us),
        visible: Latency::of(&visible_us),
        usage,
        door,
        store: after,
        verified,
        plan: Arc::unwrap_or_clone(plan),
    })
}

/// The door's equation with nothing in flight; none where the stack names no replica.
async fn door_since(target: &Target, before: &Before) -> anyhow::Result<Option<Door>> {
    if target.ingest_admins.is_empty() {
        return Ok(None);
    }
    let deadline = Instant::now() + DOOR_PATIENCE;
    loop {
        let door = Door::ask_all(&target.ingest_admins).await?.since(&before.door);
        if door.in_flight == 0 {
            return Ok(Some(door));
        }
        ensure!(Instant::now() < deadline, "mqtt-ingest still has messages in flight: {door}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What left the door is what came to the store; nothing that was published is missing at the door.
fn check_door(door: &Door, after: &After, expected: &Expected) -> anyhow::Result<()> {
    let count = |records: i64| u64::try_from(records).unwrap_or(0);
    ensure!(
        door.forwarded == count(after.readings.records)
            && door.dead_lettered == count(after.dead_letters.records),
        "at the door: {door}; in the store: {}; dead letters: {}",
        after.readings,
        after.dead_letters
    );
    ensure!(
        door.received >= expected.messages + door.shed && door.ignored >= expected.ignored,
        "at the door: {door}; {} messages were published",
        expected.messages
    );
    Ok(())
}
