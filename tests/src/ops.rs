//! Faults as data: what is done to the system, one after the other, while messages flow.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio_postgres::Client;
use wattline_loadtest::database::Database;
use wattline_loadtest::gap::stored_records;
use wattline_loadtest::physics::noise::Draw;
use wattline_loadtest::publish::Progress;
use wattline_localstack::{Proxy, ServerKind, ServiceKind, poll_until};

use crate::backup;
use crate::lost_tail::{Sinks, lose_tail};
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
    /// Connections of the services to a server are reset, and new ones refused, for so long.
    Cut(ServerKind, Duration),
    /// Nothing that services and a server send each other arrives for so long, and no connection breaks.
    LosePackets(ServerKind, Duration),
    /// The disk of a server is full for so long; a server that ends by that is started again.
    FillDisk(ServerKind, Duration),
    /// The clock of a service's hosts is so many seconds ahead from now on.
    SetClock(ServiceKind, i64),
    /// A sink is frozen while the server waits for the rest of its COPY, thawed after this time.
    FreezeInCopy(Duration),
    /// An aggregator is frozen with an open transaction, thawed after this time.
    FreezeInRecompute(Duration),
    /// One more replica.
    Add(ServiceKind),
    /// A graceful stop of the last replica of a kind, for good.
    RemoveLast(ServiceKind),
    /// Until each replica of a kind holds a partition.
    AwaitShares(ServiceKind),
    /// `kill -9` of one server, by its name in the stack.
    KillServer(&'static str),
    /// It answers nothing and none of its connections breaks, for so long.
    FreezeServer(&'static str, Duration),
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
            Self::Cut(kind, duration) => fail_network(system, kind, Proxy::cut, duration).await,
            Self::LosePackets(kind, duration) => fail_network(system, kind, Proxy::blackhole, duration).await,
            Self::FillDisk(kind, duration) => {
                system.stack.first(kind).fill_disk().await?;
                tokio::time::sleep(duration).await;
                system.stack.first(kind).free_disk().await
            }
            Self::SetClock(kind, ahead_s) => {
                system.clocks.as_ref().context("this system's clocks can't be moved")?.set(kind, ahead_s)
            }
            Self::FreezeInCopy(duration) => freeze_in(system, &COPY, duration).await,
            Self::FreezeInRecompute(duration) => freeze_in(system, &RECOMPUTE, duration).await,
            Self::Add(kind) => system.add(kind),
            Self::RemoveLast(kind) => system.remove_last(kind).await,
            Self::AwaitShares(kind) => await_shares(system, kind).await,
            Self::FreezeServer(name, duration) => {
                system.stack.server(name).freeze().await?;
                tokio::time::sleep(duration).await;
                system.stack.server(name).thaw().await
            }
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

async fn fail_network(
    system: &System,
    kind: ServerKind,
    fail: fn(&Proxy),
    duration: Duration,
) -> anyhow::Result<()> {
    let network = system.network.as_ref().context("this system has no network that could fail")?;
    let proxies = network.before(kind, &system.stack);
    proxies.iter().for_each(|proxy| fail(proxy));
    tokio::time::sleep(duration).await;
    proxies.iter().for_each(|proxy| proxy.restore());
    Ok(())
}

/// Freezes the first replica in the middle of its work. A batch so small that all of it is on its way by then is not it.
async fn freeze_in(system: &Arc<System>, middle: &Middle, duration: Duration) -> anyhow::Result<()> {
    let replica = find(system, middle.kind, 0)?;
    let observer = system.target()?.connect().await?;
    for _ in 0..10 {
        let pid = freeze_held_up(system, &replica, &observer, middle).await?;
        if is_left(&observer, pid, middle).await? {
            tokio::time::sleep(duration).await;
            return replica.process.thaw().await;
        }
        replica.process.thaw().await?;
    }
    bail!("{} {}: ten times it was frozen, and never with an open transaction", middle.kind, replica.ordinal)
}

/// Holds it up with a lock on the table that it writes, freezes it, and lets its server process go on: that one's number.
async fn freeze_held_up(
    system: &System,
    replica: &Replica,
    observer: &Client,
    middle: &Middle,
) -> anyhow::Result<i32> {
    let mut holder = system.target()?.connect().await?;
    let lock = holder.transaction().await.context("beginning to hold the table")?;
    lock.batch_execute(&format!("LOCK TABLE {} IN SHARE MODE", middle.table)).await?;
    let application = format!("{}0%", middle.application);
    let held_up = "SELECT pid FROM pg_stat_activity
        WHERE application_name LIKE $1 AND wait_event_type = 'Lock' AND query ILIKE $2 LIMIT 1";
    let pid = poll_until("work to be held up", MOMENT, Duration::from_millis(2), async || {
        let row = observer.query_opt(held_up, &[&application, &middle.statement]).await?;
        Ok(row.map(|row| row.get(0)))
    })
    .await?;
    replica.process.freeze().await?;
    lock.rollback().await.context("letting the table go")?;
    Ok(pid)
}

/// Whether the server process comes to wait for the frozen client in its transaction.
async fn is_left(observer: &Client, pid: i32, middle: &Middle) -> anyhow::Result<bool> {
    let waits = "SELECT state FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'ClientRead'";
    let state: Option<String> = poll_until(
        "the server process to wait for the frozen client",
        MOMENT,
        Duration::from_millis(10),
        async || {
            let gone =
                observer.query_opt("SELECT FROM pg_stat_activity WHERE pid = $1", &[&pid]).await?.is_none();
            let row = observer.query_opt(waits, &[&pid]).await?;
            Ok(row.map(|row| row.get("state")).or(gone.then_some(None)))
        },
    )
    .await?;
    Ok(state.as_deref() == Some(middle.left_in))
}

async fn return_server(system: &System, name: &str) -> anyhow::Result<()> {
    system.stack.server(name).start().await?;
    if name.starts_with("kafka") {
        system.stack.wait_kafka_in_sync().await?;
    }
    Ok(())
}

async fn await_stored(system: &System, count: u64) -> anyhow::Result<()> {
    let (mut database, mut first) = (Database::of(&system.target()?), None);
    system
        .wait_for(&format!("{count} more records to be stored"), async || {
            let stored = stored_records(&mut database).await;
            Ok(stored.is_some_and(|stored| stored >= *first.get_or_insert(stored) + count))
        })
        .await
}

async fn await_shares(system: &System, kind: ServiceKind) -> anyhow::Result<()> {
    let gauge = match kind {
        ServiceKind::TimescaleSink => "wattline_timescale_sink_partitions_assigned ",
        ServiceKind::Aggregator => "wattline_aggregator_partitions_owned ",
        ServiceKind::MqttIngest | ServiceKind::QueryApi => bail!("{kind} shares no partitions"),
    };
    system
        .wait_for(&format!("each {kind} to hold a partition"), async || {
            for replica in system.replicas_of(kind) {
                let metrics = replica.process.metrics().await?;
                let held =
                    metrics.lines().find_map(|line| line.strip_prefix(gauge)).context("no such gauge")?;
                if held == "0" {
                    return Ok(false);
                }
            }
            Ok(true)
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

fn find(system: &System, kind: ServiceKind, ordinal: u16) -> anyhow::Result<Arc<Replica>> {
    let mut replicas = system.replicas_of(kind).into_iter();
    replicas
        .find(|replica| replica.ordinal == ordinal)
        .with_context(|| format!("{kind} has no replica {ordinal}"))
}
