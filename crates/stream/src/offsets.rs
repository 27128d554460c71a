//! The rows of one consumer in `stream_offset`. The row of a partition is its lock: of two processes that both believe to
//! own it, the one that commits first moves the offset, and the other sees it moved.

use std::fmt;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, GenericClient, Row};
use uuid::Uuid;
use wattline_service::postgres::{FromRow, describe, read_column, read_rows};
use wattline_service::{TopicIdentity, row};

use crate::ask::{Claim, Present, first_since, watermarks};
use crate::id::{Mark, Partition, Topics};
use crate::refusal::{Found, Place, another_log, lost, lost_tail};
use crate::statements::Statements;

/// The rows of one consumer, and who it is.
#[derive(Clone, Debug)]
pub struct Offsets {
    /// The column `consumer`, see [`crate::consumer`].
    pub consumer: &'static str,
    /// The topics that it reads.
    pub topics: Topics,
    /// The column `owner`: one value per writer and start of a process.
    pub owner: Uuid,
}

/// Consecutive records of a partition that are written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub partition: Partition,
    /// The first record: what the row must still wait for.
    pub first_offset: i64,
    /// Behind the last record.
    pub next_offset: i64,
    /// The last record, where its time is known.
    pub mark: Option<Mark>,
}

/// A partition's row that is ours now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The partition.
    pub partition: Partition,
    /// Where its account begins.
    pub first_offset: i64,
    /// Where to read on; what was lost is passed over already.
    pub next_offset: i64,
    /// Records before that which Kafka no longer had, found just now.
    pub lost: i64,
    /// The row is new: nobody has read the partition before.
    pub is_new: bool,
    /// A record before that which was stored and which Kafka must still have. Where it has another one there, the partition
    /// is to be claimed with [`Claim::is_another_log`].
    pub mark: Option<Mark>,
}

/// How far the clocks of two brokers may be apart: what a log has from so long before a record that it lost on is read again.
const CLOCKS_APART_MS: i64 = 10_000;

/// Why a row was not taken, locked or moved.
#[derive(Debug)]
pub enum Error {
    /// The database said no, or is away.
    Database(tokio_postgres::Error),
    /// Kafka doesn't answer; in words.
    Kafka(String),
    /// These rows aren't where their owner left them: someone else was there.
    Fenced(Vec<Partition>),
    /// The offset means nothing for this topic: a person must decide; what, and how.
    Refused(String),
    /// The same; Kafka ended before this offset, and the row must keep that, as Kafka goes on meanwhile.
    LostTail {
        /// What is kept, and said.
        text: String,
        /// Where Kafka ends.
        end: i64,
    },
}

row! {
    /// A locked row.
    struct LockedRow<'row> {
        topic: &'row str,
        partition: i32,
        next_offset: i64,
        owner: Uuid,
    }
}

row! {
    /// Where a partition's next record is.
    struct PositionRow {
        partition: i32,
        next_offset: i64,
    }
}

row! {
    /// A row that was taken.
    struct TakenRow {
        first_offset: i64,
        next_offset: i64,
    }
}

// === impl Offsets ===

impl Offsets {
    /// Takes a partition's row in the open transaction: from its commit on the former owner's transactions fail. The caller
    /// writes what belongs to it and commits, or rolls back and asks [`Offsets::settle`] what came of it.
    ///
    /// # Errors
    /// Where the database or Kafka can't be asked, or the offset doesn't belong to this topic.
    pub async fn take<C: ConsumerContext + 'static>(
        &self,
        transaction: &(impl GenericClient + Sync),
        statements: &Statements,
        consumer: &Arc<BaseConsumer<C>>,
        claim: Claim,
        present: &Present,
    ) -> Result<Taken, Error> {
        let Partition { stream, number } = claim.partition;
        let topic = self.topics.of(stream);
        let place = Place { consumer: self.consumer, topic, number };
        let TopicIdentity { cluster_id, topic_id } = &present.identity;
        let created = transaction
            .execute(
                &statements.create,
                &[
                    &self.consumer,
                    &topic,
                    &number,
                    &present.low,
                    &self.owner,
                    cluster_id,
                    topic_id,
                    &present.partitions,
                ],
            )
            .await?;
        let row = transaction.query_one(&statements.look, &[&self.consumer, &topic, &number]).await?;
        let found = Found::from_row(&row)?;
        if let Some(refusal) = found.refusal(place, present) {
            return Err(Error::Refused(refusal));
        }
        if let Some(mark) = found.mark().filter(|_| claim.is_another_log) {
            let since = mark.at_ms.saturating_sub(CLOCKS_APART_MS);
            let first = first_since(consumer, topic, number, since).await.map_err(Error::Kafka)?;
            // Clocks that are further apart than that say nothing: then all of it.
            let end = first.filter(|first| *first <= mark.offset).unwrap_or(present.low);
            return Err(Error::LostTail { text: another_log(place, mark, end), end });
        }
        let mut present = present.clone();
        if found.next_offset > present.high {
            // The owner before may have gone on since Kafka was asked. Now it can't, and what it read is in Kafka.
            (present.low, present.high) = watermarks(consumer, topic, number).await.map_err(Error::Kafka)?;
        }
        if found.next_offset > present.high {
            let text = lost_tail(place, found.next_offset, present.high);
            return Err(Error::LostTail { text, end: present.high });
        }
        let lost = lost(found.next_offset, &present);
        let row = transaction
            .query_one(
                &statements.take,
                &[&self.consumer, &topic, &number, &self.owner, &lost, &present.partitions],
            )
            .await?;
        let TakenRow { first_offset, next_offset } = TakenRow::from_row(&row)?;
        let mark = found.mark().filter(|mark| mark.offset >= present.low);
        Ok(Taken { partition: claim.partition, first_offset, next_offset, lost, is_new: created > 0, mark })
    }

    /// After the transaction of a [`Offsets::take`] that failed was rolled back: a lost tail is written to the row, so that
    /// it is refused until a person has decided, however far Kafka goes on meanwhile.
    ///
    /// # Errors
    /// The one that is given, or the database's.
    pub async fn settle(
        &self,
        client: &Client,
        statements: &Statements,
        partition: Partition,
        error: Error,
    ) -> Error {
        let Error::LostTail { text, end } = error else { return error };
        let topic = self.topics.of(partition.stream);
        let refused = client
            .execute(&statements.refuse, &[&self.consumer, &topic, &partition.number, &text, &end])
            .await;
        match refused {
            Ok(_) => Error::Refused(text),
            Err(error) => error.into(),
        }
    }

    /// Locks the rows of all spans in the open transaction, in the order of partitions, and compares them with where the
    /// spans begin. A twin that owns one of them in a transaction of its own makes this wait.
    ///
    /// # Errors
    /// [`Error::Fenced`] where a row isn't what this owner left; 55P03 where a row stays taken.
    pub async fn lock(&self, client: &Client, statements: &Statements, spans: &[Span]) -> Result<(), Error> {
        let (topics, numbers) = self.columns(spans);
        let rows = client.query(&statements.lock, &[&self.consumer, &topics, &numbers]).await?;
        let found: Vec<_> = read_rows(&rows)?
            .into_iter()
            .map(|LockedRow { topic, partition, next_offset, owner }| {
                (self.named(topic, partition), next_offset, owner)
            })
            .collect();
        let is_ours = |span: &&Span| found.contains(&(Some(span.partition), span.first_offset, self.owner));
        let moved: Vec<Partition> =
            spans.iter().filter(|span| !is_ours(span)).map(|span| span.partition).collect();
        if moved.is_empty() { Ok(()) } else { Err(Error::Fenced(moved)) }
    }

    /// Moves the rows behind the spans' last records, in the open transaction.
    ///
    /// # Errors
    /// What the server says.
    pub async fn advance(
        &self,
        client: &impl GenericClient,
        statements: &Statements,
        spans: &[Span],
    ) -> Result<(), tokio_postgres::Error> {
        let (topics, numbers) = self.columns(spans);
        let next: Vec<i64> = spans.iter().map(|span| span.next_offset).collect();
        let mark = |of: fn(Mark) -> i64| -> Vec<_> { spans.iter().map(|span| span.mark.map(of)).collect() };
        let (offsets, times) = (mark(|mark| mark.offset), mark(|mark| mark.at_ms));
        let columns: [&(dyn ToSql + Sync); 6] = [&self.consumer, &topics, &numbers, &next, &offsets, &times];
        client.execute(&statements.advance, &columns).await?;
        Ok(())
    }

    /// The rows of these partitions of a topic that are still ours, with their next offsets: held until the transaction
    /// ends, so that nobody else can take them meanwhile.
    ///
    /// # Errors
    /// What the server says.
    pub async fn share(
        &self,
        client: &impl GenericClient,
        statements: &Statements,
        topic: &str,
        numbers: &[i32],
    ) -> Result<Vec<(i32, i64)>, tokio_postgres::Error> {
        let rows = client.query(&statements.share, &[&self.consumer, &topic, &numbers, &self.owner]).await?;
        positions(&rows)
    }

    /// The columns `topic` and `partition` of some spans.
    #[must_use]
    pub fn columns(&self, spans: &[Span]) -> (Vec<&str>, Vec<i32>) {
        let topics = spans.iter().map(|span| self.topics.of(span.partition.stream)).collect();
        (topics, spans.iter().map(|span| span.partition.number).collect())
    }

    /// Which partition a row with the columns `topic` and `partition` is of; none where it is a topic of another consumer.
    ///
    /// # Errors
    /// Where the row has other columns.
    pub fn partition(&self, row: &Row) -> Result<Option<Partition>, tokio_postgres::Error> {
        Ok(self.named(read_column(row, "topic")?, read_column(row, "partition")?))
    }

    fn named(&self, topic: &str, number: i32) -> Option<Partition> {
        self.topics.stream(topic).map(|stream| Partition { stream, number })
    }
}

/// Where another consumer stands in these partitions of a topic: without a row, it has not begun with this very topic.
///
/// # Errors
/// What the server says.
pub async fn seen(
    client: &impl GenericClient,
    statements: &Statements,
    consumer: &str,
    (topic, identity): (&str, &TopicIdentity),
    numbers: &[i32],
) -> Result<Vec<(i32, i64)>, tokio_postgres::Error> {
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&consumer, &topic, &numbers, &identity.cluster_id, &identity.topic_id];
    let rows = client.query(&statements.seen, &parameters).await?;
    positions(&rows)
}

fn positions(rows: &[Row]) -> Result<Vec<(i32, i64)>, tokio_postgres::Error> {
    let rows = read_rows::<PositionRow>(rows)?;
    Ok(rows.into_iter().map(|row| (row.partition, row.next_offset)).collect())
}

// === impl Error ===

impl Error {
    /// The server's error, if it is one.
    #[must_use]
    pub const fn database(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => out.write_str(&describe(error)),
            Self::Kafka(text) | Self::Refused(text) | Self::LostTail { text, .. } => out.write_str(text),
            Self::Fenced(partitions) => write!(out, "another process has written to {partitions:?}"),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}
