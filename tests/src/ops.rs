//! Faults as data: what is done to the system, one after the other, while messages flow.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio_postgres::{Client, Row};
use wattline_loadtest::books::{backlog, topic_ends};
use wattline_loadtest::physics::noise::Draw;
use wattline_loadtest::publish::Progress;
use wattline_localstack::{ServerKind, ServiceKind, poll_until};
use wattline_reading::topics::READINGS;

use crate::backup;
use crate::gap::stored_records;
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
    /// `kill -9` of one server, by its name in the stack.
    KillServer(&'static str),
    /// It comes back, and has caught up with the others of its kind.
    ReturnServer(&'static str),
    /// Until so many more records are stored: whatever was lost before is done without.
    AwaitStored(u64),
    /// Until this server is ready; of a pair's second that it has caught up.
    AwaitServer(&'static str),
    /// `kill -9` of PostgreSQL only, below Patroni.
    KillPostmaster(&'static str),
    /// Until this database takes writes.
    AwaitLeader(&'static str),
    /// A replica is stopped gracefully and started from the programs in use, with the same name.
    Replace(ServiceKind, u16),
    /// The migration and the topics of the programs in use.
    Prepare,
    /// A backup of the database, while it runs.
    BackUp,
    /// The database begins again with its backup: what was committed since is gone.
    Restore,
    /// A dump of the database by the operators' script, while everything runs.
    Dump,
    /// The dump takes the database's place by the operators' script, while the services run.
    RestoreDump,
    /// Kafka comes back without the last batches of each partition of the readings, all of which are stored; a person does
    /// what the services say.
    LoseTail(usize),
    /// The same, but the sinks look again only when Kafka has written beyond all that they had read.
    LoseTailUnseen(usize),
    /// A graceful restart of each Kafka broker, the next one when all replicas are in sync, as a StatefulSet does.
    RollKafka,
}

/// How long a supervisor waits before it starts a dead service again.
const RESTART_PAUSE: Duration = Duration::from_millis(300);
/// How long to wait for the moment in which a process is in the middle of something.
const MOMENT: Duration = Duration::from_secs(30);

/// Where a process can be frozen with an open transaction.
struct Middle {
    kind: ServiceKind,
    /// What its connections call themselves, up to the number of the replica.
    application: &'static str,
    /// The table that it is about to write.
    table: &'static str,
    /// The statement it is held up in.
    statement: &'static str,
    /// The wait of the server process for the frozen client, after it was let go.
    left_in: &'static str,
}

const COPY: Middle = Middle {
    kind: ServiceKind::TimescaleSink,
    application: "wattline-timescale-sink/sink-",
    table: "reading",
    statement: "COPY reading %",
    left_in: "active",
};
const RECOMPUTE: Middle = Middle {
    kind: ServiceKind::Aggregator,
    application: "wattline-aggregator/aggregator-",
    table: "energy_15m",
    statement: "%energy_15m%",
    left_in: "idle in transaction",
};

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
            Self::Restart(kind) => system.stack.first(kind).restart().await,
            Self::Freeze(kind, duration) => {
                system.stack.first(kind).freeze().await?;
                tokio::time::sleep(duration).await;
                system.stack.first(kind).thaw().await
            }
            Self::FreezeInCopy(duration) => freeze_in(system, &COPY, duration).await,
            Self::FreezeInRecompute(duration) => freeze_in(system, &RECOMPUTE, duration).await,
            Self::Add(kind) => system.add(kind),
            Self::KillServer(name) => system.stack.server(name).kill().await,
            Self::ReturnServer(name) => return_server(system, name).await,
            Self::AwaitStored(count) => await_stored(system, count).await,
            Self::AwaitServer(name) => system.stack.server(name).wait_ready().await,
            Self::KillPostmaster(name) => system.stack.server(name).kill_postmaster(),
            Self::AwaitLeader(name) => {
                system
                    .wait_for(&format!("{name} to lead"), async || {
                        Ok(system.stack.database_leader().await? == name)
                    })
                    .await
            }
            Self::Replace(kind, ordinal) => system.replace(kind, ordinal).await,
            Self::Prepare => system.prepare().await,
            Self::BackUp => system.stack.timescale().back_up().await,
            Self::Restore => system.stack.timescale().restore().await,
            Self::Dump => backup::dump(system).await,
            Self::RestoreDump => backup::restore(system).await,
            Self::LoseTail(batches) => lose_tail(system, batches, Sinks::Run).await,
            Self::LoseTailUnseen(batches) => lose_tail(system, batches, Sinks::Freeze).await,
            Self::RollKafka => roll_kafka(system).await,
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

/// Freezes the first replica in the middle of its work: holds it up with a lock on the table that it writes, freezes
/// it, and lets its server process go on, which then waits for the frozen client.
async fn freeze_in(system: &Arc<System>, middle: &Middle, duration: Duration) -> anyhow::Result<()> {
    let replica = find(system, middle.kind, 0)?;
    let (mut holder, observer) = (system.target()?.connect().await?, system.target()?.connect().await?);
    let lock = holder.transaction().await.context("beginning to hold the table")?;
    lock.batch_execute(&format!("LOCK TABLE {} IN SHARE MODE", middle.table)).await?;
    let application = format!("{}0%", middle.application);
    let held_up = "SELECT pid FROM pg_stat_activity
        WHERE application_name LIKE $1 AND wait_event_type = 'Lock' AND query ILIKE $2 LIMIT 1";
    let pid: i32 = poll_until("work to be held up", MOMENT, Duration::from_millis(2), async || {
        let row = observer.query_opt(held_up, &[&application, &middle.statement]).await?;
        Ok(row.map(|row| row.get(0)))
    })
    .await?;
    replica.process.freeze().await?;
    lock.rollback().await.context("letting the table go")?;
    let left = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = $2 AND wait_event = 'ClientRead'";
    poll_until(
        "a transaction that waits for the frozen process",
        MOMENT,
        Duration::from_millis(10),
        async || Ok(observer.query_opt(left, &[&pid, &middle.left_in]).await?.map(|_| ())),
    )
    .await?;
    tokio::time::sleep(duration).await;
    replica.process.thaw().await
}

async fn return_server(system: &System, name: &str) -> anyhow::Result<()> {
    system.stack.server(name).start().await?;
    if name.starts_with("kafka") {
        system.stack.wait_kafka_in_sync().await?;
    }
    Ok(())
}

async fn await_stored(system: &System, count: u64) -> anyhow::Result<()> {
    let target = system.target()?;
    let (mut client, mut first) = (None, None);
    system
        .wait_for(&format!("{count} more records to be stored"), async || {
            let stored = stored_records(&target, &mut client).await;
            Ok(stored.is_some_and(|stored| stored >= *first.get_or_insert(stored) + count))
        })
        .await
}

async fn roll_kafka(system: &System) -> anyhow::Result<()> {
    for broker in system.stack.kafka_nodes() {
        broker.restart().await?;
        system.stack.wait_kafka_in_sync().await?;
    }
    Ok(())
}

/// What the sinks do while Kafka loses its tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sinks {
    Run,
    Freeze,
}

/// What Kafka has confirmed and nobody has stored would be lost for good, so nothing of that kind is there at that moment.
async fn lose_tail(system: &System, batches: usize, sinks: Sinks) -> anyhow::Result<()> {
    let ingests = system.replicas_of(ServiceKind::MqttIngest);
    for replica in &ingests {
        replica.process.freeze().await?;
    }
    let target = system.target()?;
    let client = target.connect().await?;
    system
        .wait_for("everything to be stored", async || Ok(backlog(&target.kafka, &client).await? == 0))
        .await?;
    let frozen =
        if sinks == Sinks::Freeze { system.replicas_of(ServiceKind::TimescaleSink) } else { Vec::new() };
    for replica in &frozen {
        replica.process.freeze().await?;
    }
    let before = stored_ends(&client).await?;
    let records = system.stack.kafka().lose_tail(READINGS.name, batches).await?;
    ensure!(records > 0, "Kafka had nothing to lose");
    // Right after its start a broker may not lead yet.
    system
        .wait_for("Kafka to say where it ends", async || {
            Ok(topic_ends(&target.kafka, READINGS).await.is_ok())
        })
        .await?;
    let ends = topic_ends(&target.kafka, READINGS).await?;
    let lost: HashMap<i32, Stored> = before
        .into_iter()
        .filter(|(id, stored)| ends.get(id).is_some_and(|end| *end < stored.next))
        .collect();
    for replica in &ingests {
        replica.process.thaw().await?;
    }
    if sinks == Sinks::Freeze {
        system
            .wait_for("Kafka to go on beyond all that was read", async || {
                let ends = topic_ends(&target.kafka, READINGS).await?;
                Ok(lost.iter().all(|(id, stored)| ends.get(id).is_some_and(|end| *end > stored.next)))
            })
            .await?;
    }
    for replica in &frozen {
        replica.process.thaw().await?;
    }
    system
        .wait_for("every lost tail to be found, and everybody to go on", async || {
            system.obey("offsets adopt").await?;
            let now = stored_ends(&client).await?;
            let found = |(id, before): (&i32, &Stored)| now[id].retracted > before.retracted;
            Ok(lost.iter().all(found) && system.all_ready().await)
        })
        .await
}

/// What the sinks have stored of a partition.
#[derive(Clone, Copy, Debug)]
struct Stored {
    next: i64,
    retracted: i64,
}

async fn stored_ends(client: &Client) -> anyhow::Result<HashMap<i32, Stored>> {
    let rows = "SELECT partition, next_offset, retracted FROM sink_outcome WHERE topic = $1";
    let rows = client.query(rows, &[&READINGS.name]).await?;
    let stored = |row: &Row| Stored { next: row.get("next_offset"), retracted: row.get("retracted") };
    Ok(rows.iter().map(|row| (row.get("partition"), stored(row))).collect())
}

fn find(system: &System, kind: ServiceKind, ordinal: u16) -> anyhow::Result<Arc<Replica>> {
    let mut replicas = system.replicas_of(kind).into_iter();
    replicas
        .find(|replica| replica.ordinal == ordinal)
        .with_context(|| format!("{kind} has no replica {ordinal}"))
}
