//! Faults as data: what is done to the system, one after the other, while messages flow.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use wattline_loadtest::physics::noise::Draw;
use wattline_loadtest::publish::Progress;
use wattline_localstack::{Server, ServerKind, ServiceKind};

use crate::system::{Replica, System};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// So many more messages are published.
    Flow(u64),
    /// `kill -9` of a replica, which is started again a moment later, as Kubernetes would.
    Kill(ServiceKind, u16),
    /// `kill -9` of a replica, which stays away.
    KillForGood(ServiceKind, u16),
    /// A graceful stop and a start.
    Restart(ServerKind),
    /// Nothing answers and no connection breaks.
    Freeze(ServerKind, Duration),
    /// A sink is frozen while the server waits for the rest of its COPY, thawed after this time.
    FreezeInCopy(Duration),
    /// An aggregator is frozen with an open transaction, thawed after this time.
    FreezeInRecompute(Duration),
    /// One more replica.
    Add(ServiceKind),
}

/// How long a supervisor waits before it starts a dead service again.
const RESTART_PAUSE: Duration = Duration::from_millis(300);
/// A transaction that a process does nothing for in this time belongs to a frozen one.
const STANDS_STILL: Duration = Duration::from_millis(400);
const FREEZE_ATTEMPTS: u32 = 400;

/// Backends of a role that are in the middle of something.
const IN_COPY: &str = "SELECT pid, coalesce(query_start, now())::text FROM pg_stat_activity
    WHERE usename = 'wattline_sink' AND state = 'active' AND query ILIKE 'COPY %' AND wait_event = 'ClientRead'";
const IN_TRANSACTION: &str = "SELECT pid, coalesce(state_change, now())::text FROM pg_stat_activity
    WHERE usename = 'wattline_aggregator' AND state = 'idle in transaction'";

// === impl Op ===

impl Op {
    /// Does it.
    ///
    /// # Errors
    /// Where it can't be done.
    pub async fn apply(self, system: &Arc<System>, progress: &Progress) -> anyhow::Result<()> {
        match self {
            Self::Flow(count) => flow(progress, count).await,
            Self::Kill(kind, ordinal) => {
                let replica = find(system, kind, ordinal)?;
                replica.process.kill().await?;
                tokio::time::sleep(RESTART_PAUSE).await;
                replica.process.start_again()
            }
            Self::KillForGood(kind, ordinal) => find(system, kind, ordinal)?.kill_for_good().await,
            Self::Restart(kind) => server(system, kind).restart().await,
            Self::Freeze(kind, duration) => {
                server(system, kind).freeze().await?;
                tokio::time::sleep(duration).await;
                server(system, kind).thaw().await
            }
            Self::FreezeInCopy(duration) => {
                freeze_in(system, ServiceKind::TimescaleSink, IN_COPY, duration).await
            }
            Self::FreezeInRecompute(duration) => {
                freeze_in(system, ServiceKind::Aggregator, IN_TRANSACTION, duration).await
            }
            Self::Add(kind) => system.add(kind),
        }
    }
}

/// Kills of all three services in random order at random moments, each of them `times` times.
#[must_use]
pub fn random_kills(seed: u64, times: usize, flow_max: i64) -> Vec<Op> {
    let mut draw = Draw::new(seed, 0);
    let services = [ServiceKind::MqttIngest, ServiceKind::TimescaleSink, ServiceKind::Aggregator];
    let mut kills: Vec<Op> = services
        .iter()
        .flat_map(|kind| (0..times).map(|_| *kind))
        .map(|kind| Op::Kill(kind, u16::from(draw.unit() < 0.5)))
        .collect();
    // Fisher and Yates.
    for last in (1..kills.len()).rev() {
        let other = usize::try_from(draw.whole(0, i64::try_from(last + 1).unwrap_or(1))).unwrap_or(0);
        kills.swap(last, other);
    }
    let flow = |draw: &mut Draw| Op::Flow(draw.whole(200, flow_max).unsigned_abs());
    let mut ops: Vec<Op> = kills.into_iter().flat_map(|kill| [flow(&mut draw), kill]).collect();
    ops.push(flow(&mut draw));
    ops
}

async fn flow(progress: &Progress, count: u64) -> anyhow::Result<()> {
    let published = || progress.published.load(Ordering::Relaxed);
    let end = published() + count;
    let (mut newest, mut still_ms) = (published(), 0);
    while published() < end {
        tokio::time::sleep(Duration::from_millis(5)).await;
        still_ms = if published() == newest { still_ms + 5 } else { 0 };
        newest = published();
        ensure!(still_ms < 120_000, "nothing could be published for two minutes");
    }
    Ok(())
}

/// Freezes a replica again and again, until it happens to be in the middle of what `in_the_middle` finds.
async fn freeze_in(
    system: &Arc<System>,
    kind: ServiceKind,
    in_the_middle: &str,
    duration: Duration,
) -> anyhow::Result<()> {
    let client = system.target()?.connect().await?;
    let replica = find(system, kind, 0)?;
    let busy = async || -> anyhow::Result<Vec<(i32, String)>> {
        let rows =
            client.query(in_the_middle, &[]).await.context("asking what the replica is in the middle of")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    };
    for attempt in 0..FREEZE_ATTEMPTS {
        replica.process.freeze().await?;
        let seen = busy().await?;
        if !seen.is_empty() {
            tokio::time::sleep(STANDS_STILL).await;
            let still = busy().await?;
            if seen.iter().any(|backend| still.contains(backend)) {
                tokio::time::sleep(duration).await;
                return replica.process.thaw().await;
            }
        }
        replica.process.thaw().await?;
        tokio::time::sleep(Duration::from_millis(7 + u64::from(attempt % 13))).await;
    }
    anyhow::bail!("{kind} was never met in the middle of its work in {FREEZE_ATTEMPTS} attempts")
}

fn find(system: &System, kind: ServiceKind, ordinal: u16) -> anyhow::Result<Arc<Replica>> {
    let mut replicas = system.replicas_of(kind).into_iter();
    replicas
        .find(|replica| replica.ordinal == ordinal)
        .with_context(|| format!("{kind} has no replica {ordinal}"))
}

fn server(system: &System, kind: ServerKind) -> &Server {
    match kind {
        ServerKind::Mosquitto => system.stack.mosquitto(),
        ServerKind::Kafka => system.stack.kafka(),
        ServerKind::Timescale => system.stack.timescale(),
    }
}
