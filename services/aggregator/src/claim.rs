//! A partition's row in `stream_offset` becomes ours: only its owner computes the partition's meters.
//!
//! Kafka says whose partition it is, the row makes it so: each transaction reads `owner = me FOR SHARE`. A twin that was
//! frozen inside a transaction still holds that lock when its partition is given to us. No timeout of the server ends
//! it, so whoever blocks the claim for too long is ended; a transaction that is ended has changed nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::consumer::Consumer;
use tokio_postgres::Client;
use tracing::{info, warn};
use uuid::Uuid;
use wattline_service::kafka::{TopicIdentity, topic_identity};

use crate::CONSUMER;
use crate::config::Config;
use crate::consume::Member;
use crate::failure::{Failure, Outcome};
use crate::key_partition::key_partition;

const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);

/// What Kafka says of the topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Which one it is.
    pub identity: TopicIdentity,
    /// Its number of partitions.
    pub partitions: i32,
}

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// Ours, from this offset on; so many records were deleted before they were read.
    Owned {
        /// The own offset.
        next_offset: i64,
        /// What is lost.
        lost: i64,
    },
    /// A person must do something.
    Refused(String),
}

/// Asks Kafka for the topic's identity and partitions. Blocks.
///
/// # Errors
/// Where Kafka doesn't answer or has no such topic.
pub fn ask_topic(member: &Member, name: &str) -> anyhow::Result<Topic> {
    let identity = topic_identity(member.client(), name, KAFKA_TIMEOUT)?;
    let metadata = member.fetch_metadata(Some(name), KAFKA_TIMEOUT).context("Kafka gives no metadata")?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    Ok(Topic { identity, partitions: i32::try_from(partitions).context("too many partitions")? })
}

/// Claims one partition: compare-and-set of the owner, after a look at what the row says.
///
/// # Errors
/// Where Kafka or the database doesn't answer; the claim is tried again.
pub async fn claim(
    client: &mut Client,
    config: &Config,
    member: &Arc<Member>,
    topic: &Topic,
    partition: i32,
    me: Uuid,
) -> Outcome<Claim> {
    let name = &config.input.readings_topic;
    let (low, high) = watermarks(member, name, partition).await?;
    insert_if_missing(client, topic, name, partition, low).await?;
    let row = client
        .query_one(
            "SELECT owner, next_offset, cluster_id, topic_id, first_offset, updated_at FROM stream_offset \
             WHERE consumer = $1 AND topic = $2 AND partition = $3",
            &[&CONSUMER, name, &partition],
        )
        .await?;
    let (cluster_id, topic_id): (String, String) = (row.get(2), row.get(3));
    if cluster_id != topic.identity.cluster_id || topic_id != topic.identity.topic_id {
        let now = &topic.identity;
        return Ok(Claim::Refused(format!(
            "table stream_offset knows topic {name} as {topic_id} of cluster {cluster_id}, Kafka says {} of \
             cluster {}: the topic was made anew or kafka.brokers points elsewhere. If that is meant, delete the \
             rows of this topic from stream_offset for all consumers and restart them",
            now.topic_id, now.cluster_id
        )));
    }
    let next_offset = take_over(client, config, partition, row.get(0), me).await?;
    if next_offset > high {
        return Ok(Claim::Refused(format!(
            "table stream_offset wants offset {next_offset} of {name} partition {partition}, Kafka ends at {high}: \
             Kafka lost records, or the database is of another installation. Compare the backups; to go on from \
             Kafka's end, set next_offset to {high} for both consumers"
        )));
    }
    let first: i64 = row.get(4);
    let begins_late = next_offset == first && first == low && low > 0;
    if next_offset < low || begins_late {
        let lost = (low - next_offset).max(0);
        make_up(client, config, topic, partition, low, lost, me).await?;
        return Ok(Claim::Owned { next_offset: low.max(next_offset), lost });
    }
    Ok(Claim::Owned { next_offset, lost: 0 })
}

async fn watermarks(member: &Arc<Member>, topic: &str, partition: i32) -> anyhow::Result<(i64, i64)> {
    let (member, topic) = (Arc::clone(member), topic.to_owned());
    let ask = move || member.fetch_watermarks(&topic, partition, KAFKA_TIMEOUT);
    let answer = tokio::task::spawn_blocking(ask).await.context("asking Kafka was interrupted")?;
    answer.with_context(|| format!("Kafka does not tell the offsets of partition {partition}"))
}

/// The row of a partition that was never consumed: it begins where Kafka does.
async fn insert_if_missing(
    client: &Client,
    topic: &Topic,
    name: &str,
    partition: i32,
    low: i64,
) -> Outcome<()> {
    let identity = &topic.identity;
    client
        .execute(
            "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner, cluster_id, \
             topic_id) VALUES ($1, $2, $3, $4, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            &[&CONSUMER, &name, &partition, &low, &Uuid::nil(), &identity.cluster_id, &identity.topic_id],
        )
        .await?;
    Ok(())
}

/// Compare-and-set of the owner. Whoever holds the row's lock for longer than the timeout is ended.
async fn take_over(
    client: &mut Client,
    config: &Config,
    partition: i32,
    old: Uuid,
    me: Uuid,
) -> Outcome<i64> {
    const UPDATE: &str = "UPDATE stream_offset SET owner = $4, updated_at = now() \
         WHERE consumer = $1 AND topic = $2 AND partition = $3 AND owner = $5 RETURNING next_offset";
    let timeout_ms = config.recompute.lock_timeout_ms;
    let transaction = client.transaction().await?;
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = '{timeout_ms}ms'")).await?;
    let pid: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let topic = &config.input.readings_topic;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&CONSUMER, topic, &partition, &me, &old];
    let mut update = Box::pin(transaction.query_opt(UPDATE, &parameters));
    let mut blockers = Vec::new();
    let look = tokio::time::sleep(Duration::from_millis(timeout_ms - timeout_ms / 5));
    let outcome = tokio::select! {
        outcome = &mut update => outcome,
        () = look => {
            blockers = who_blocks(config, pid).await?;
            (&mut update).await
        }
    };
    drop(update);
    match outcome {
        Ok(Some(row)) => {
            transaction.commit().await?;
            Ok(row.get(0))
        }
        // Another one claimed it since we looked.
        Ok(None) => Err(Failure::NotOwner(vec![partition])),
        Err(error) => {
            let failure = Failure::from(error);
            if failure.is_lock_timeout() && !blockers.is_empty() {
                end(config, partition, &blockers).await?;
            }
            Err(failure)
        }
    }
}

async fn who_blocks(config: &Config, pid: i32) -> Outcome<Vec<i32>> {
    let second = config.database.connect("wattline-aggregator claim").await?;
    Ok(second.query_one("SELECT pg_blocking_pids($1)", &[&pid]).await?.get(0))
}

/// Ends the connections of our own role that held the lock.
async fn end(config: &Config, partition: i32, blockers: &[i32]) -> Outcome<()> {
    let second = config.database.connect("wattline-aggregator claim").await?;
    let ended = second
        .query(
            "SELECT pid FROM pg_stat_activity WHERE pid = ANY($1) AND usename = current_user \
             AND pg_terminate_backend(pid)",
            &[&blockers],
        )
        .await?;
    let ended: Vec<i32> = ended.iter().map(|row| row.get(0)).collect();
    warn!(partition, "ended the connections {ended:?}, which held the row of partition {partition}");
    Ok(())
}

/// Records that Kafka deleted before they were read: nobody can say what they changed, so each meter of the partition is
/// recomputed from its first row to its last.
async fn make_up(
    client: &mut Client,
    config: &Config,
    topic: &Topic,
    partition: i32,
    low: i64,
    lost: i64,
    me: Uuid,
) -> Outcome<()> {
    let transaction = client.transaction().await?;
    let meters = transaction.query("SELECT meter_key, meter_id FROM meter", &[]).await?;
    let ours = meters.iter().filter(|row| {
        let id: &str = row.get(1);
        key_partition(id.as_bytes(), topic.partitions) == partition
    });
    let keys: Vec<i32> = ours.map(|row| row.get(0)).collect();
    let written = transaction
        .execute(
            "INSERT INTO recompute (meter_key, from_ts, to_ts, reason) \
             SELECT m.key, a.ts, z.ts, 'records_lost' FROM unnest($1::int[]) AS m(key) \
             CROSS JOIN LATERAL (SELECT ts FROM reading WHERE meter_key = m.key ORDER BY ts LIMIT 1) a \
             CROSS JOIN LATERAL (SELECT ts FROM reading WHERE meter_key = m.key ORDER BY ts DESC LIMIT 1) z",
            &[&keys],
        )
        .await?;
    let moved = transaction
        .execute(
            "UPDATE stream_offset SET next_offset = greatest(next_offset, $5), lost = lost + $6, \
             updated_at = now() \
             WHERE consumer = $1 AND topic = $2 AND partition = $3 AND owner = $4",
            &[&CONSUMER, &config.input.readings_topic, &partition, &me, &low, &lost],
        )
        .await?;
    if moved == 0 {
        return Err(Failure::NotOwner(vec![partition]));
    }
    transaction.commit().await?;
    info!(
        partition,
        lost,
        "Kafka begins at offset {low} of partition {partition}, {lost} records are gone: {written} meters are recomputed"
    );
    Ok(())
}
