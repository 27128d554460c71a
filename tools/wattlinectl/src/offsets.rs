//! Where the consumers stand in Kafka's partitions, against what Kafka says now; and the decisions that only a person can
//! take: what to do when Kafka has lost records that were stored, when a topic was made anew, when it has more partitions,
//! when what it holds is damaged.

pub mod command;
mod obey;
mod readable;
mod skip;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use rdkafka::consumer::BaseConsumer;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use wattline_aggregator::make_up::make_up;
use wattline_service::postgres::{describe, read_column, read_rows};
use wattline_service::{KafkaSettings, TopicIdentity, row};
use wattline_stream::ask::{self, watermarks};

pub use obey::obey;

row! {
    /// A row of `stream_offset`.
    #[derive(Clone, Debug)]
    pub struct Row {
        /// Who stands there.
        pub consumer: String,
        /// The topic.
        pub topic: String,
        /// The partition.
        pub partition: i32,
        /// The next record to be read.
        pub next_offset: i64,
        /// The cluster that the offset belongs to.
        pub cluster_id: String,
        /// Which topic of that name.
        pub topic_id: String,
        /// How many partitions the topic had.
        pub partitions: Option<i32>,
        /// Why the consumer doesn't read on, where only a person can decide.
        pub refused: Option<String>,
        /// Where Kafka ended when that was found, if a lost tail is why.
        pub refused_end: Option<i64>,
        /// When it last moved.
        pub updated_at: DateTime<Utc>,
    }
}

row! {
    /// Of `adopt.sql`.
    struct AdoptedRow {
        who: String,
        before: i64,
        after: i64,
        put_aside: i64,
    }
}

/// A consumer in a partition, and what Kafka says of that.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The row.
    pub row: Row,
    /// Where Kafka's records begin and end; none where it doesn't say.
    pub kafka: Option<(i64, i64)>,
    /// Whether the two fit.
    pub verdict: Verdict,
}

/// Whether an offset fits what Kafka has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Fits,
    /// Kafka has lost records that were read.
    LostTail,
    /// It belongs to another topic or cluster.
    Anew,
    /// The topic had another number of partitions.
    Partitions {
        /// How many it has now.
        now: i32,
    },
    /// Kafka doesn't say.
    Unknown(String),
}

/// Kafka and the database, to decide by.
pub struct Desk {
    client: Client,
    consumer: Arc<BaseConsumer>,
}

// === impl Desk ===

impl Desk {
    /// Between this database, whose client is wattline_operator's or the owner's, and this Kafka.
    ///
    /// # Errors
    /// Where the settings make no client of Kafka.
    pub fn new(client: Client, kafka: &KafkaSettings) -> anyhow::Result<Self> {
        let consumer = kafka.client_config("wattlinectl")?.create().context("cannot make a Kafka client")?;
        Ok(Self { client, consumer: Arc::new(consumer) })
    }

    /// All consumers in all partitions.
    ///
    /// # Errors
    /// What the database says. What Kafka doesn't say is part of the answer.
    pub async fn show(&self) -> anyhow::Result<Vec<Standing>> {
        let rows = self.client.query(include_str!("sql/offsets/rows.sql"), &[]).await;
        let rows: Vec<Row> = rows.and_then(|rows| read_rows(&rows)).map_err(|error| explain(&error))?;
        let mut topics: HashMap<String, Result<ask::Topic, String>> = HashMap::new();
        let mut standings = Vec::with_capacity(rows.len());
        for row in rows {
            if !topics.contains_key(&row.topic) {
                topics.insert(row.topic.clone(), ask::topic(&self.consumer, &row.topic).await);
            }
            let ends = watermarks(&self.consumer, &row.topic, row.partition).await;
            let verdict = match (&topics[&row.topic], &ends) {
                (Ok(topic), ends) => judge(&row, topic, ends.as_ref().map_err(Clone::clone).copied()),
                (Err(error), _) => Verdict::Unknown(error.clone()),
            };
            standings.push(Standing { row, kafka: ends.ok(), verdict });
        }
        Ok(standings)
    }

    /// Goes on where Kafka has lost its tail: at the place where it ended when that was found, so that nothing is skipped
    /// that was written since. A line for each consumer that moves; consumers that stand before it do not.
    ///
    /// What was put aside of the lost records keeps its place, under a topic id that says so. Rollups of the partition's meters
    /// are computed again.
    ///
    /// # Errors
    /// Where there is no such partition, or Kafka or the database doesn't answer.
    pub async fn adopt(
        &mut self,
        topic: Option<&str>,
        partition: Option<i32>,
    ) -> anyhow::Result<Vec<String>> {
        let wanted = |row: &Row| {
            topic.is_none_or(|topic| topic == row.topic)
                && partition.is_none_or(|partition| partition == row.partition)
        };
        let mut standings = self.show().await?;
        standings.retain(|standing| wanted(&standing.row));
        if standings.is_empty() {
            bail!("no consumer has an offset there: `wattlinectl offsets show` lists them");
        }
        standings.retain(|standing| standing.verdict == Verdict::LostTail);
        standings.dedup_by_key(|standing| (standing.row.topic.clone(), standing.row.partition));
        let mut lines = Vec::new();
        for Standing { row, kafka, .. } in standings {
            let end = kafka.map(|(_, high)| high).context("Kafka does not say where the partition ends")?;
            let partitions = self.topic(&row.topic).await?.partitions;
            lines.extend(self.adopt_one(&row, end, partitions).await?);
        }
        Ok(lines)
    }

    async fn adopt_one(&mut self, row: &Row, end_now: i64, partitions: i32) -> anyhow::Result<Vec<String>> {
        let Row { topic, partition, .. } = row;
        let work = async {
            let transaction = self.client.transaction().await?;
            let adopt = include_str!("sql/offsets/adopt.sql");
            let moved = transaction.query(adopt, &[topic, partition, &end_now]).await?;
            let moved = read_rows::<AdoptedRow>(&moved)?;
            // Where rollups are made of the topic: what is lost may be stored and not computed, and of whom it was can't be
            // read any more.
            if moved.iter().any(|row| row.who == wattline_stream::consumer::AGGREGATOR) {
                make_up(&transaction, *partition, partitions).await?;
            }
            transaction.commit().await?;
            Ok::<_, tokio_postgres::Error>(moved)
        };
        let moved = work.await.map_err(|error| explain(&error))?;
        let put_aside = moved.first().map_or(0, |row| row.put_aside);
        let mut lines: Vec<String> = moved
            .into_iter()
            .map(|AdoptedRow { who, before, after, .. }| {
                format!(
                    "partition {partition} of {topic}: {who} goes on at offset {after}, it was at {before}"
                )
            })
            .collect();
        if put_aside > 0 {
            lines.push(format!(
                "partition {partition} of {topic}: {put_aside} dead letters and conflicts of what Kafka lost are kept, \
                 with /lost-… behind the topic id"
            ));
        }
        Ok(lines)
    }

    /// Reads a topic on although its number of partitions has changed: a meter's records are in two of them from the change
    /// on, so that their order, and who writes them, is not certain. Gives how many offsets were changed.
    ///
    /// # Errors
    /// Where Kafka doesn't know the topic or the database doesn't answer.
    pub async fn adopt_partitions(&self, topic: &str) -> anyhow::Result<i64> {
        let ask::Topic { partitions, .. } = self.topic(topic).await?;
        self.count(include_str!("sql/offsets/partitions.sql"), &[&topic, &partitions]).await
    }

    /// Forgets the offsets of a topic that was made anew: its consumers begin at the first record of the one that is there
    /// now. Gives how many offsets that were; those of the topic that is there now stay.
    ///
    /// # Errors
    /// Where Kafka doesn't know the topic or the database doesn't answer.
    pub async fn reset(&self, topic: &str) -> anyhow::Result<i64> {
        let TopicIdentity { cluster_id, topic_id } = self.topic(topic).await?.identity;
        self.count(include_str!("sql/offsets/reset.sql"), &[&topic, &cluster_id, &topic_id]).await
    }

    /// How many rows a decision has changed.
    async fn count(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> anyhow::Result<i64> {
        let row = self.client.query_one(sql, parameters).await;
        row.and_then(|row| read_column(&row, "count")).map_err(|error| explain(&error))
    }

    async fn topic(&self, name: &str) -> anyhow::Result<ask::Topic> {
        ask::topic(&self.consumer, name).await.map_err(|error| anyhow!("{error}"))
    }
}

fn judge(row: &Row, topic: &ask::Topic, ends: Result<(i64, i64), String>) -> Verdict {
    let TopicIdentity { cluster_id, topic_id } = &topic.identity;
    if (&row.cluster_id, &row.topic_id) != (cluster_id, topic_id) {
        return Verdict::Anew;
    }
    match ends {
        _ if row.refused.is_some() => Verdict::LostTail,
        Err(error) => Verdict::Unknown(error),
        Ok((_, high)) if row.next_offset > high => Verdict::LostTail,
        Ok(_) if row.partitions.is_some_and(|before| before != topic.partitions) => {
            Verdict::Partitions { now: topic.partitions }
        }
        Ok(_) => Verdict::Fits,
    }
}

fn explain(error: &tokio_postgres::Error) -> anyhow::Error {
    anyhow!("the database: {}; connect as wattline_operator, or as the owner", describe(error))
}

// === impl Verdict ===

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits => out.write_str("fits"),
            Self::LostTail => out.write_str("Kafka has lost records that were read: adopt"),
            Self::Anew => out.write_str("of a topic or cluster that Kafka no longer is: reset"),
            Self::Partitions { now } => write!(out, "the topic has {now} partitions now: adopt --partitions"),
            Self::Unknown(error) => out.write_str(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            consumer: "timescale-sink".to_owned(),
            topic: "t".to_owned(),
            partition: 0,
            next_offset: 5,
            cluster_id: "c".to_owned(),
            topic_id: "id".to_owned(),
            partitions: Some(12),
            refused: None,
            refused_end: None,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_offset_is_judged_by_what_kafka_has() {
        let topic = |topic_id: &str, partitions| ask::Topic {
            identity: TopicIdentity { cluster_id: "c".to_owned(), topic_id: topic_id.to_owned() },
            partitions,
        };
        assert_eq!(judge(&row(), &topic("id", 12), Ok((0, 5))), Verdict::Fits);
        assert_eq!(judge(&row(), &topic("id", 12), Ok((0, 4))), Verdict::LostTail);
        assert_eq!(judge(&row(), &topic("new", 12), Ok((0, 4))), Verdict::Anew);
        assert_eq!(judge(&row(), &topic("id", 24), Ok((0, 5))), Verdict::Partitions { now: 24 });
        let away = Err("away".to_owned());
        assert_eq!(judge(&row(), &topic("id", 12), away.clone()), Verdict::Unknown("away".to_owned()));
        let refused = Row { refused: Some("lost".to_owned()), ..row() };
        assert_eq!(
            judge(&refused, &topic("id", 12), Ok((0, 9))),
            Verdict::LostTail,
            "Kafka has gone on since"
        );
    }
}
