//! A load that goes on while somebody else makes faults, until it is told to end; then everything is read back.
//!
//! It runs where the faults don't reach it, and knows no process by its address: pods that are killed come back with others.
//! What it needs are the broker, to publish; Kafka, to know that everything was read; and the database.

mod figures;
mod http;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;
use wattline_reading::{Timestamp, topics};

use crate::books::topic_ends;
use crate::database::Database;
use crate::gap::{Gap, GapWatch, stored_records};
use crate::load::{Before, Load, LoadOptions, settled, verified};
use crate::plan::Plan;
use crate::probe::Probes;
use crate::scenario::Scenario;
use crate::target::Target;
use crate::verify::Verified;

pub use figures::{Endured, Marks, SoFar};

use http::Shared;

/// MQTT connections.
const CONNECTIONS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Readings for longer than it may last: the last gap is waited for, and who fell behind makes up for it in a burst.
const LONGER_S: f64 = 600.0;

/// How much is published, and for how long at the most.
#[derive(Clone, Copy, Debug)]
pub struct EndureOptions {
    /// How many meters; timescale-sink registers 1,000 new ones a minute by default.
    pub meters: u32,
    /// Messages per second.
    pub rate: f64,
    /// Another seed is another world.
    pub seed: u64,
    /// It ends by itself after this long.
    pub at_most: Duration,
    /// How long nothing may move at the end before what is missing counts as lost.
    pub patience: Duration,
}

// === impl EndureOptions ===

impl EndureOptions {
    /// More readings than can be published in the time that there is.
    fn plan(&self, now: Timestamp) -> anyhow::Result<Plan> {
        ensure!(self.rate > 0.0 && self.rate <= 100_000.0, "rate = {}: above 0, to 100,000", self.rate);
        let messages = self.rate * (self.at_most.as_secs_f64() + LONGER_S);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked below")]
        let readings = (messages / f64::from(self.meters.max(1))).ceil() as u32 + 1;
        let scenario = Scenario::disturbed(self.meters, readings, self.seed);
        scenario.check()?;
        Ok(scenario.plan(format!("endure-{:x}", now.micros()), now))
    }
}

/// Publishes until `POST /end` comes to `listener`, `stop` is cancelled or the time is over; waits until everything is stored,
/// and reads it back.
///
/// # Errors
/// Where a server can't be used, or something was lost, doubled or is different: names the first of it.
pub async fn run(
    target: &Target,
    options: EndureOptions,
    listener: TcpListener,
    stop: CancellationToken,
    now: Timestamp,
) -> anyhow::Result<Endured> {
    let begin = Instant::now();
    let endless = Arc::new(options.plan(now)?);
    let client = target.connect().await?;
    let before = Before::read(&client, &[]).await?;
    // It is asked again at the end only, when a wrong address would have cost the whole story.
    topic_ends(&target.kafka, topics::READINGS).await?;
    let mut database = Database::of(target);
    database.give_back(client);
    let stored_before = stored_records(&mut database).await.context("asking how much is stored")?;

    let load_options = LoadOptions { connections: CONNECTIONS, rate: Some(options.rate) };
    let mut load = Load::start(&endless, &target.broker, load_options, &Arc::new(Probes::default()));
    let watch = GapWatch::start(target, &load.progress, options.patience);
    let shared = Arc::new(Shared::new(&load.progress, &watch.gaps, stored_before, stop));
    let closed = CancellationToken::new();
    let _close = closed.clone().drop_guard();
    let server = tokio::spawn(http::serve(listener, Arc::clone(&shared), closed));

    let gap = tokio::select! {
        gap = until_end(&shared, options.at_most, watch) => gap?,
        outcome = load.published() => {
            outcome?;
            bail!("everything was published before the end");
        }
        served = server => bail!("nobody can ask any more: {served:?}"),
    };
    let plan = Arc::new(load.end_now(&endless));
    acknowledged(&mut load, options.patience).await?;
    info!("{} messages are published; waiting until they are stored", plan.expected().messages);
    let verified = judge(target, &before, &plan, options.patience).await?;
    Ok(endured(&load, &plan, &verified, gap, begin))
}

/// Until it is to end, and then until the last gap has ended.
async fn until_end(shared: &Shared, at_most: Duration, watch: GapWatch) -> anyhow::Result<Gap> {
    tokio::select! {
        () = shared.end.cancelled() => {}
        () = tokio::time::sleep(at_most) => {}
    }
    shared.settling.store(true, Ordering::Relaxed);
    watch.finish().await
}

/// Waits for the last PUBACK, while any come.
async fn acknowledged(load: &mut Load, patience: Duration) -> anyhow::Result<()> {
    let mut moved = (0, Instant::now());
    loop {
        let count = load.progress.acknowledged.load(Ordering::Relaxed);
        if count > moved.0 {
            moved = (count, Instant::now());
        }
        ensure!(
            moved.1.elapsed() < patience,
            "the broker acknowledges nothing for {patience:?}, {} messages are open",
            load.progress.published.load(Ordering::Relaxed).saturating_sub(count)
        );
        tokio::select! {
            outcome = load.published() => return outcome,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// What isn't read back is named; where all of it is, the counts of outcomes must be as planned, too.
async fn judge(
    target: &Target,
    before: &Before,
    plan: &Arc<Plan>,
    patience: Duration,
) -> anyhow::Result<Verified> {
    match settled(target, before, &plan.expected(), patience).await {
        Ok(_) => verified(target, plan, patience).await,
        Err(error) => {
            verified(target, plan, Duration::ZERO).await.with_context(|| format!("{error:#}"))?;
            Err(error)
        }
    }
}

fn endured(load: &Load, plan: &Plan, verified: &Verified, gap: Gap, begin: Instant) -> Endured {
    let progress = &load.progress;
    Endured {
        sent: plan.expected().stored,
        stored_once: verified.readings,
        conflicts: verified.conflicts,
        dead_letters: verified.dead_letters,
        resent: progress.resent.load(Ordering::Relaxed),
        reconnects: progress.reconnects.load(Ordering::Relaxed),
        gap_stored_s: figures::seconds(gap.stored),
        gap_acknowledged_s: figures::seconds(gap.acknowledged),
        seconds: figures::seconds(begin.elapsed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_readings_for_longer_than_it_may_last() {
        let options = EndureOptions {
            meters: 200,
            rate: 200.0,
            seed: 1,
            at_most: Duration::from_secs(3600),
            patience: Duration::ZERO,
        };
        let plan = options.plan(Timestamp::now()).unwrap();
        assert!(plan.expected().messages > 200 * 3600, "{}", plan.readings);
        let error = EndureOptions { rate: 100_000.0, meters: 1, ..options }.plan(Timestamp::now());
        assert!(error.unwrap_err().to_string().contains("days"));
        assert!(EndureOptions { rate: 0.0, ..options }.plan(Timestamp::now()).is_err());
    }
}
