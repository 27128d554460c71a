//! Table `stream_offset`: how far this consumer has come, in the same transaction as what it wrote. The row of a
//! partition is its lock: of two sinks that both believe to own it, the one that commits first moves the offset,
//! and the other sees it moved.

use tokio_postgres::Row;
use uuid::Uuid;
use wattline_service::TopicIdentity;

use crate::batch::{Partition, Set, Stream};
use crate::failure::Failure;
use crate::session::Session;
use crate::write::plan::Counts;

/// This service in column `consumer`.
pub const CONSUMER: &str = "timescale-sink";

const LOCK: &str = "SELECT topic, partition, next_offset, owner FROM stream_offset \
    JOIN unnest($1::text[], $2::int[]) AS wanted(topic, partition) USING (topic, partition) \
    WHERE consumer = 'timescale-sink' ORDER BY topic, partition FOR UPDATE OF stream_offset";
const ADVANCE: &str = "UPDATE stream_offset s SET next_offset = d.next_offset, stored = s.stored + d.stored, \
        merged = s.merged + d.merged, duplicate = s.duplicate + d.duplicate, conflict = s.conflict + d.conflict, \
        dead_lettered = s.dead_lettered + d.dead_lettered, \
        possible_duplicate = s.possible_duplicate + d.possible_duplicate, updated_at = now() \
    FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
        $8::bigint[], $9::bigint[]) AS d(topic, partition, next_offset, stored, merged, duplicate, conflict, \
        dead_lettered, possible_duplicate) \
    WHERE s.consumer = 'timescale-sink' AND s.topic = d.topic AND s.partition = d.partition \
    RETURNING s.topic, s.partition, s.next_offset, s.stored, s.merged, s.duplicate, s.conflict, s.dead_lettered, \
        s.lost, s.possible_duplicate, s.first_offset";
const CREATE: &str = "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner, \
    cluster_id, topic_id) VALUES ('timescale-sink', $1, $2, $3, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const LOCK_ONE: &str = "SELECT next_offset, cluster_id, topic_id FROM stream_offset \
    WHERE consumer = 'timescale-sink' AND topic = $1 AND partition = $2 FOR UPDATE";
const CLAIM: &str = "UPDATE stream_offset SET owner = $3, next_offset = next_offset + $4, lost = lost + $4, \
    updated_at = now() WHERE consumer = 'timescale-sink' AND topic = $1 AND partition = $2 \
    RETURNING topic, partition, next_offset, stored, merged, duplicate, conflict, dead_lettered, lost, \
        possible_duplicate, first_offset";

/// The names of the two topics.
#[derive(Clone, Debug)]
pub struct TopicNames {
    /// Of readings.
    pub readings: String,
    /// Of dead letters.
    pub dead_letters: String,
}

/// An offset row, as a transaction left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRow {
    /// The partition.
    pub partition: Partition,
    /// Where the account begins.
    pub first_offset: i64,
    /// The next record to be stored.
    pub next_offset: i64,
    /// Outcomes since the first offset.
    pub counts: Counts,
    /// Records that Kafka no longer had.
    pub lost: i64,
}

/// What Kafka says of a partition when it is claimed.
#[derive(Clone, Debug)]
pub struct Present {
    /// Which topic of which cluster it really is.
    pub identity: TopicIdentity,
    /// The oldest record that is still there.
    pub low: i64,
    /// The offset of the next record that will be written.
    pub high: i64,
    /// Where records begin, when there are none from the wanted offset up to here though it isn't below `low`.
    pub hole_to: Option<i64>,
}

/// Why a partition can't be taken on.
#[derive(Debug)]
pub enum ClaimFailure {
    /// The database.
    Database(Failure),
    /// The offsets mean nothing for this topic: a person must decide.
    Refused(String),
}

// === impl TopicNames ===

impl TopicNames {
    /// The name of one.
    #[must_use]
    pub fn of(&self, stream: Stream) -> &str {
        match stream {
            Stream::Readings => &self.readings,
            Stream::DeadLetters => &self.dead_letters,
        }
    }

    /// Which one has this name.
    #[must_use]
    pub fn stream(&self, topic: &str) -> Option<Stream> {
        [Stream::Readings, Stream::DeadLetters].into_iter().find(|stream| self.of(*stream) == topic)
    }
}

// === impl ClaimFailure ===

impl From<Failure> for ClaimFailure {
    fn from(failure: Failure) -> Self {
        Self::Database(failure)
    }
}

impl From<tokio_postgres::Error> for ClaimFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Takes the offset rows of all sets, in the order of partitions, and compares them with where the sets begin.
/// A twin that owns one of them in a transaction of its own makes this wait.
///
/// # Errors
/// [`Failure::Fenced`] where a row isn't what this writer left; 55P03 where a row stays taken.
pub async fn lock(
    session: &mut Session,
    names: &TopicNames,
    owner: Uuid,
    sets: &[Set],
) -> Result<(), Failure> {
    let statement = session.prepared(LOCK).await?;
    let topics: Vec<&str> = sets.iter().map(|set| names.of(set.partition.stream)).collect();
    let numbers: Vec<i32> = sets.iter().map(|set| set.partition.number).collect();
    let rows = session.client().query(&statement, &[&topics, &numbers]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let (next, present): (i64, Uuid) = (row.try_get(2)?, row.try_get(3)?);
        found.push((partition(names, row)?, next, present));
    }
    let moved: Vec<Partition> = sets
        .iter()
        .filter(|set| !found.contains(&(Some(set.partition), set.first_offset, owner)))
        .map(|set| set.partition)
        .collect();
    if moved.is_empty() { Ok(()) } else { Err(Failure::Fenced(moved)) }
}

/// Moves the offsets of the sets behind their last records, with the counts; call it last before the commit.
///
/// # Errors
/// What the server says.
pub async fn advance(
    session: &mut Session,
    names: &TopicNames,
    sets: &[Set],
    counts: &[Counts],
) -> Result<Vec<OffsetRow>, Failure> {
    let statement = session.prepared(ADVANCE).await?;
    let topics: Vec<&str> = sets.iter().map(|set| names.of(set.partition.stream)).collect();
    let numbers: Vec<i32> = sets.iter().map(|set| set.partition.number).collect();
    let next: Vec<i64> = sets.iter().map(Set::next_offset).collect();
    let column = |of: fn(&Counts) -> i64| -> Vec<i64> { counts.iter().map(of).collect() };
    let rows = session
        .client()
        .query(
            &statement,
            &[
                &topics,
                &numbers,
                &next,
                &column(|counts| counts.stored),
                &column(|counts| counts.merged),
                &column(|counts| counts.duplicate),
                &column(|counts| counts.conflict),
                &column(|counts| counts.dead_lettered),
                &column(|counts| counts.possible_duplicate),
            ],
        )
        .await?;
    let rows = rows.iter().map(|row| offset_row(names, row));
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Takes a partition on, in a transaction of its own: from here on the former owner's batches fail. Gives where to
/// read on.
///
/// # Errors
/// Where the database can't be asked, or the offsets don't belong to this topic.
pub async fn claim(
    session: &mut Session,
    names: &TopicNames,
    owner: Uuid,
    partition: Partition,
    present: &Present,
) -> Result<OffsetRow, ClaimFailure> {
    let topic = names.of(partition.stream);
    let identity = &present.identity;
    let create = session.prepared(CREATE).await?;
    let lock_one = session.prepared(LOCK_ONE).await?;
    let take = session.prepared(CLAIM).await?;
    let client = session.client();
    client.batch_execute("BEGIN").await?;
    client
        .execute(
            &create,
            &[&topic, &partition.number, &present.low, &owner, &identity.cluster_id, &identity.topic_id],
        )
        .await?;
    let row = client.query_one(&lock_one, &[&topic, &partition.number]).await?;
    let next: i64 = row.try_get(0)?;
    let known = TopicIdentity { cluster_id: row.try_get(1)?, topic_id: row.try_get(2)? };
    let lost = lost(topic, partition.number, next, &known, present).map_err(ClaimFailure::Refused)?;
    let row = client.query_one(&take, &[&topic, &partition.number, &owner, &lost]).await?;
    let row = offset_row(names, &row)?;
    client.batch_execute("COMMIT").await?;
    row.ok_or_else(|| ClaimFailure::Refused(format!("the topic {topic} is not one of this service")))
}

/// How many records between the wanted offset and what Kafka still has are lost. Pure.
fn lost(
    topic: &str,
    number: i32,
    next: i64,
    known: &TopicIdentity,
    present: &Present,
) -> Result<i64, String> {
    if *known != present.identity {
        return Err(format!(
            "partition {number} of {topic}: the offset {next} in the database belongs to topic id {} in cluster {}, \
             but Kafka has topic id {} in cluster {}. If the topic was made anew and the old records are gone for \
             good: DELETE FROM stream_offset WHERE topic = '{topic}'; if this is another cluster, correct \
             kafka.brokers or database.url",
            known.topic_id, known.cluster_id, present.identity.topic_id, present.identity.cluster_id
        ));
    }
    if next > present.high {
        return Err(format!(
            "partition {number} of {topic}: the database waits for offset {next}, but Kafka ends at {}: Kafka has \
             lost records that were stored (restored from an older copy, or an unclean leader election). To store \
             what is written from now on: UPDATE stream_offset SET first_offset = first_offset + {} - next_offset, \
             next_offset = {} WHERE topic = '{topic}' AND partition = {number}",
            present.high, present.high, present.high
        ));
    }
    let begins = present.low.max(present.hole_to.unwrap_or(0)).min(present.high);
    Ok((begins - next).max(0))
}

fn partition(names: &TopicNames, row: &Row) -> Result<Option<Partition>, tokio_postgres::Error> {
    let (topic, number): (&str, i32) = (row.try_get(0)?, row.try_get(1)?);
    Ok(names.stream(topic).map(|stream| Partition { stream, number }))
}

fn offset_row(names: &TopicNames, row: &Row) -> Result<Option<OffsetRow>, tokio_postgres::Error> {
    let Some(partition) = partition(names, row)? else { return Ok(None) };
    Ok(Some(OffsetRow {
        partition,
        first_offset: row.try_get(10)?,
        next_offset: row.try_get(2)?,
        counts: Counts {
            stored: row.try_get(3)?,
            merged: row.try_get(4)?,
            duplicate: row.try_get(5)?,
            conflict: row.try_get(6)?,
            dead_lettered: row.try_get(7)?,
            possible_duplicate: row.try_get(9)?,
        },
        lost: row.try_get(8)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(topic_id: &str) -> TopicIdentity {
        TopicIdentity { cluster_id: "c".to_owned(), topic_id: topic_id.to_owned() }
    }

    fn present(low: i64, high: i64, hole_to: Option<i64>) -> Present {
        Present { identity: identity("t"), low, high, hole_to }
    }

    #[test]
    fn what_kafka_no_longer_has_is_lost() {
        let known = identity("t");
        for (next, present, expected) in [
            (5, present(0, 9, None), 0),
            (5, present(5, 5, None), 0),
            (5, present(7, 9, None), 2),
            (5, present(9, 9, None), 4),
            (5, present(0, 9, Some(6)), 1),
            (5, present(0, 9, Some(3)), 0),
        ] {
            assert_eq!(lost("a", 0, next, &known, &present), Ok(expected), "{present:?}");
        }
    }

    #[test]
    fn offsets_of_another_topic_stop_the_partition_and_name_the_cure() {
        let error = lost("a", 3, 5, &identity("old"), &present(0, 9, None)).unwrap_err();
        for part in ["partition 3 of a", "old", "DELETE FROM stream_offset", "kafka.brokers"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_offset_above_the_end_stops_the_partition() {
        let error = lost("a", 3, 10, &identity("t"), &present(0, 9, None)).unwrap_err();
        assert!(error.contains("ends at 9") && error.contains("UPDATE stream_offset"), "{error}");
    }
}
