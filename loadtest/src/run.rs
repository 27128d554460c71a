//! The whole path, or only its first half: publish a plan, wait until it is stored, check all of it, report.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio_util::sync::CancellationToken;
use tracing::info;
use wattline_reading::Timestamp;

use crate::books::Door;
use crate::conditions::Conditions;
use crate::expected::Expected;
use crate::freeze::Frozen;
use crate::latency::microseconds;
use crate::load::{After, Before, Load, LoadOptions, settled};
use crate::mixed;
use crate::plan::Plan;
use crate::probe::Probes;
use crate::processes::{Machine, Usage, Watcher, number};
use crate::report::{Latency, Rates, Report, date};
use crate::scenario::Scenario;
use crate::target::{Target, backend, register_meters};
use crate::verify::verify;

/// Who reads from Kafka.
const READERS: [&str; 3] = ["timescale-sink", "aggregator", "query-api"];
/// A wait without progress for this long is a failure.
const PATIENCE: Duration = Duration::from_secs(120);
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// What is stored was confirmed by Kafka; mqtt-ingest hears of it a moment later.
const DOOR_PATIENCE: Duration = Duration::from_secs(20);

/// What is measured. All of it is checked either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Until it is stored.
    Whole,
    /// Until Kafka has it; whoever reads from Kafka stands still meanwhile.
    ToKafka,
}

/// What came to the end of the way.
struct Arrived {
    after: After,
    door: Option<Door>,
    stored_s: f64,
    usage: Usage,
}

// === impl Way ===

impl Way {
    fn title(self, scenario: &Scenario) -> String {
        match self {
            Self::Whole => scenario.title.clone(),
            Self::ToKafka => format!("MQTT to Kafka alone: {}", scenario.title),
        }
    }

    /// What is true of every message there.
    const fn end(self) -> &'static str {
        match self {
            Self::Whole => "stored",
            Self::ToKafka => "in Kafka",
        }
    }

    /// Who stands still meanwhile.
    fn frozen(self, target: &Target) -> Vec<i32> {
        match self {
            Self::Whole => Vec::new(),
            Self::ToKafka => READERS.iter().flat_map(|service| target.pids_of(service)).collect(),
        }
    }
}

// === impl Arrived ===

impl Arrived {
    /// Every message has the outcome that was planned.
    fn check(&self, plan: &Plan, expected: &Expected, resent: u64) -> anyhow::Result<()> {
        let redelivered = resent > 0 || self.door.is_some_and(|door| door.received > expected.messages);
        if plan.mixed {
            mixed::check(&self.after, expected)?;
        } else {
            self.after.check(expected, redelivered)?;
        }
        self.door.as_ref().map_or(Ok(()), |door| check_door(door, &self.after, expected))
    }
}

/// Runs a scenario against a running stack.
///
/// # Errors
/// Where the stack can't be used, or any check fails.
pub async fn run(target: &Target, scenario: &Scenario, way: Way, now: Timestamp) -> anyhow::Result<Report> {
    scenario.check()?;
    let prefix = format!("load-{:x}", now.micros() / 1000);
    let plan = Arc::new(scenario.plan(prefix, now));
    let expected = plan.expected();
    let client = target.connect().await?;
    register_meters(&client, &plan).await?;
    let before = Before::read(&client, &target.ingest_admins).await?;
    let conditions = Conditions::read(&client, target).await?;
    let probes = Arc::new(Probes::default());
    let stop_probes = CancellationToken::new();
    let asking = target.connect().await?;
    let own = [backend(&client).await?, backend(&asking).await?];
    let probing = tokio::spawn(Arc::clone(&probes).watch(asking, stop_probes.clone(), PROBE_PATIENCE));

    let frozen = Frozen::freeze(way.frozen(target))?;
    let watcher = Watcher::start(&target.processes, &own);
    let begin = Instant::now();
    let options = LoadOptions { connections: scenario.connections, rate: scenario.rate };
    let mut load = Load::start(&plan, &target.broker, options, &probes);
    load.published().await?;
    let in_s = Instant::now().saturating_duration_since(begin).as_secs_f64();
    info!("{} messages published in {in_s:.2} s", expected.messages);
    let arrived = match way {
        Way::Whole => {
            stop_probes.cancel();
            let after = settled(target, &before, &expected, PATIENCE).await?;
            let (stored_s, usage) = (begin.elapsed().as_secs_f64(), watcher.finish().await?);
            Arrived { door: door_since(target, &before, &expected).await?, after, stored_s, usage }
        }
        Way::ToKafka => {
            let door = door_since(target, &before, &expected).await?;
            let (stored_s, usage) = (begin.elapsed().as_secs_f64(), watcher.finish().await?);
            drop(frozen);
            let after = settled(target, &before, &expected, PATIENCE).await?;
            stop_probes.cancel();
            Arrived { after, stored_s, usage, door }
        }
    };
    info!("all of it {} in {:.2} s", way.end(), arrived.stored_s);

    let resent = load.progress.resent.load(Ordering::Relaxed);
    arrived.check(&plan, &expected, resent)?;
    let sent_bytes = load.progress.payload_bytes.load(Ordering::Relaxed);
    let payload_bytes = number(sent_bytes) / number(expected.messages);
    let verified =
        if plan.mixed { mixed::verify(&client, &plan).await? } else { verify(&client, &plan).await? };
    let (visible_us, _) = probing.await??;
    let visible = Latency::of(&visible_us).filter(|_| way == Way::Whole);
    Ok(Report {
        title: way.title(scenario),
        date: date(now),
        machine: Machine::this()?,
        conditions,
        expected,
        rates: Rates {
            count: expected.messages,
            payload_bytes,
            in_s,
            stored_s: arrived.stored_s,
            end: way.end(),
        },
        puback: puback(&load)?,
        visible,
        usage: arrived.usage,
        door: arrived.door,
        store: arrived.after,
        verified,
        plan: Arc::unwrap_or_clone(plan),
    })
}

fn puback(load: &Load) -> anyhow::Result<Option<Latency>> {
    let mut puback_us = microseconds();
    puback_us.add(&*load.puback_us.lock())?;
    Ok(Latency::of(&puback_us))
}

/// The door's equation with all messages received and nothing in flight; none where the stack names no replica.
async fn door_since(target: &Target, before: &Before, expected: &Expected) -> anyhow::Result<Option<Door>> {
    if target.ingest_admins.is_empty() {
        return Ok(None);
    }
    let (mut moved_at, mut newest) = (Instant::now(), 0);
    loop {
        let door = Door::ask_all(&target.ingest_admins).await?.since(&before.door);
        if door.in_flight == 0 && door.received >= expected.messages {
            return Ok(Some(door));
        }
        if door.received > newest {
            (moved_at, newest) = (Instant::now(), door.received);
        }
        ensure!(
            moved_at.elapsed() < DOOR_PATIENCE,
            "mqtt-ingest lacks messages or has some in flight: {door}"
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_the_door_must_have_come_to_the_store() {
        let expected = Expected { messages: 10, records: 9, dead_letters: 1, ..Expected::default() };
        let door = Door { received: 10, forwarded: 9, dead_lettered: 1, ..Door::default() };
        let mut after = After::default();
        after.readings.records = 9;
        after.dead_letters.records = 1;
        check_door(&door, &after, &expected).unwrap();
        assert!(check_door(&Door { received: 9, ..door }, &after, &expected).is_err(), "one is missing");
        after.readings.records = 8;
        assert!(check_door(&door, &after, &expected).is_err(), "one is not stored");
    }
}
