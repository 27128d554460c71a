//! The sink alone: the readings topic is filled while the sink is frozen, then it is let go and timed. The other
//! services stay frozen, so that they cost nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tracing::info;
use wattline_reading::{Timestamp, topics};

use crate::books::{Store, backlog};
use crate::conditions::Conditions;
use crate::expected::Expected;
use crate::fill::fill;
use crate::freeze::Frozen;
use crate::load::{After, Before};
use crate::processes::{Machine, Watcher, number};
use crate::report::{Rates, Report, date};
use crate::scenario::Scenario;
use crate::target::{Target, backend, register_meters};
use crate::verify::verify;

const SINK: &str = "timescale-sink";
const OTHERS: [&str; 3] = ["mqtt-ingest", "aggregator", "query-api"];
const ASK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the sink of a running stack, which must be idle.
///
/// # Errors
/// Where the stack can't be used, or a check fails.
pub async fn run(target: &Target, scenario: &Scenario, now: Timestamp) -> anyhow::Result<Report> {
    scenario.check()?;
    let plan = Arc::new(scenario.plan(format!("sink-{:x}", now.micros() / 1000), now));
    let client = target.connect().await?;
    ensure!(!target.pids_of(SINK).is_empty(), "the stack runs no {SINK}");
    ensure!(
        backlog(&target.kafka, &client).await? == 0,
        "the sink is not idle: end the street or the load on this stack first"
    );
    register_meters(&client, &plan).await?;
    let before = Before::read(&client, &[]).await?;
    let conditions = Conditions::read(&client, target).await?;
    let count = u64::from(plan.meters) * u64::from(plan.readings);

    let _others = Frozen::freeze(OTHERS.iter().flat_map(|service| target.pids_of(service)).collect())?;
    let sink = Frozen::freeze(target.pids_of(SINK))?;
    let (kafka, filled) = (target.kafka.clone(), Arc::clone(&plan));
    let begin = Instant::now();
    tokio::task::spawn_blocking(move || fill(&kafka, &filled))
        .await
        .context("the thread that fills the topic")??;
    let in_s = Instant::now().saturating_duration_since(begin).as_secs_f64();
    info!("{count} records are in the topic after {in_s:.2} s");

    let watcher = Watcher::start(&target.processes, &[backend(&client).await?]);
    drop(sink);
    let (first, seconds) = time_sink(&client, &before, count).await?;
    let usage = watcher.finish().await?;

    let store = Store::read(&client, &topics::READINGS).await?;
    let after = After { readings: store.since(&before.readings), ..After::default() };
    let expected = Expected { stored: count, records: count, ..Expected::default() };
    after.check(&expected, false)?;
    let verified = verify(&client, &plan).await?;
    Ok(Report {
        title: format!("The sink alone, from a filled topic: {}", scenario.title),
        date: date(now),
        machine: Machine::this()?,
        conditions,
        expected,
        rates: Rates {
            count,
            payload_bytes: 112.0,
            in_s,
            stored_s: whole_s(count, first, seconds),
            end: "stored",
        },
        puback: None,
        visible: None,
        usage,
        door: None,
        store: after,
        verified,
        plan: Arc::unwrap_or_clone(plan),
    })
}

/// How long all of it takes at the speed that was measured without the first commit.
fn whole_s(count: u64, first: u64, seconds: f64) -> f64 {
    seconds * number(count) / number(count.saturating_sub(first).max(1))
}

/// From the first commit that is seen to the last: how many rows were there at first, and how long the rest took.
/// What comes before, a group that is joined again after the freeze, is not the sink's speed.
async fn time_sink(
    client: &tokio_postgres::Client,
    before: &Before,
    count: u64,
) -> anyhow::Result<(u64, f64)> {
    let mut newest = 0;
    let mut moved_at = Instant::now();
    let mut begin = None;
    loop {
        let stored = Store::read(client, &topics::READINGS).await?.since(&before.readings).records;
        let stored = u64::try_from(stored).context("offsets went backwards")?;
        let now = Instant::now();
        if stored > newest {
            newest = stored;
            moved_at = now;
        }
        let (first, since) = match begin {
            Some(begin) => begin,
            None if stored > 0 => *begin.insert((stored, now)),
            None => (0, now),
        };
        if stored >= count {
            return Ok((first, now.saturating_duration_since(since).as_secs_f64()));
        }
        ensure!(
            now.saturating_duration_since(moved_at) < PATIENCE,
            "the sink stopped at {stored} of {count} records"
        );
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_commit_counts_at_the_speed_of_the_rest() {
        assert!((whole_s(1000, 200, 4.0) - 5.0).abs() < 1e-9);
        assert!((whole_s(1000, 0, 4.0) - 4.0).abs() < 1e-9);
        assert!(whole_s(1000, 1000, 0.0).abs() < 1e-9, "all in one commit: nothing was timed");
    }
}
