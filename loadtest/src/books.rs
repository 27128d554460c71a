//! The two equations of the promise that every message is accounted for.
//!
//! At the door, per process of mqtt-ingest, in messages:
//! received = forwarded + ignored + dead-lettered + shed + in flight.
//! In the store, per partition, in records:
//! `next_offset` - `first_offset` = stored + merged + duplicate + conflict + dead-lettered + absent + lost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde::Serialize;
use tokio_postgres::Client;
use wattline_reading::topics::{self, Topic};
use wattline_service::kafka::KafkaSettings;
use wattline_service::postgres::{FromRow, read_column};
use wattline_service::row;

use crate::said::Said;

const WATERMARK_TIMEOUT: Duration = Duration::from_secs(10);

/// What one or all processes of mqtt-ingest say of themselves, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Door {
    /// Taken from the broker.
    pub received: u64,
    /// Confirmed by Kafka.
    pub forwarded: u64,
    /// No reading, and no error.
    pub ignored: u64,
    /// Confirmed by Kafka as dead letters.
    pub dead_lettered: u64,
    /// Received and not taken: of QoS 0 gone, of QoS 1 delivered again.
    pub shed: u64,
    /// Not confirmed yet.
    pub in_flight: u64,
}

/// What became of the records of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Store {
    /// By partition.
    pub partitions: BTreeMap<i32, Outcomes>,
}

row! {
    /// What became of some records.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
    pub struct Outcomes {
        /// `next_offset` - `first_offset`, and those that Kafka lost and gave a second time.
        pub records: i64,
        /// New rows.
        pub stored: i64,
        /// Rows completed.
        pub merged: i64,
        /// Nothing new.
        pub duplicate: i64,
        /// Contradictions, put aside.
        pub conflict: i64,
        /// Refused.
        pub dead_lettered: i64,
        /// Offsets without a record.
        pub absent: i64,
        /// Deleted from Kafka before the sink came to them.
        pub lost: i64,
        /// Where the sink is.
        pub next_offset: i64,
    }
}

// === impl Door ===

impl Door {
    /// Asks one process.
    ///
    /// # Errors
    /// Where it doesn't answer, or its equation doesn't hold.
    pub async fn ask(admin: &str) -> anyhow::Result<Self> {
        let url = format!("{admin}/metrics");
        let response = reqwest::get(&url).await.with_context(|| format!("asking {url}"))?;
        let text = response.text().await.with_context(|| format!("reading {url}"))?;
        let door = Self::parse(&text).with_context(|| format!("in {url}"))?;
        ensure!(door.adds_up(), "the equation of {admin} doesn't hold: {door}");
        Ok(door)
    }

    /// Asks several and adds them up.
    ///
    /// # Errors
    /// As [`Door::ask`].
    pub async fn ask_all(admins: &[String]) -> anyhow::Result<Self> {
        let mut sum = Self::default();
        for admin in admins {
            let door = Self::ask(admin).await?;
            sum.received += door.received;
            sum.forwarded += door.forwarded;
            sum.ignored += door.ignored;
            sum.dead_lettered += door.dead_lettered;
            sum.shed += door.shed;
            sum.in_flight += door.in_flight;
        }
        Ok(sum)
    }

    /// Whether every message is accounted for.
    #[must_use]
    pub const fn adds_up(&self) -> bool {
        self.received == self.forwarded + self.ignored + self.dead_lettered + self.shed + self.in_flight
    }

    /// What came since `before`; both from the same processes.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            received: self.received - before.received,
            forwarded: self.forwarded - before.forwarded,
            ignored: self.ignored - before.ignored,
            dead_lettered: self.dead_lettered - before.dead_lettered,
            shed: self.shed - before.shed,
            in_flight: self.in_flight,
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let sum = |name: &str| metric(text, &format!("wattline_mqtt_ingest_{name}"));
        Ok(Self {
            received: sum("received_total")?,
            forwarded: sum("forwarded_total")?,
            ignored: sum("ignored_total")?,
            dead_lettered: sum("dead_lettered_total")?,
            shed: sum("shed_total")?,
            in_flight: sum("in_flight")?,
        })
    }
}

impl fmt::Display for Door {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "received {} = forwarded {} + ignored {} + dead-lettered {} + shed {} + in flight {}",
            self.received, self.forwarded, self.ignored, self.dead_lettered, self.shed, self.in_flight
        )
    }
}

// === impl Store ===

impl Store {
    /// Reads the sink's rows of one topic.
    ///
    /// # Errors
    /// Where the table can't be read or a partition's equation doesn't hold.
    pub async fn read(client: &Client, topic: &Topic) -> anyhow::Result<Self> {
        let rows = client.query(include_str!("sql/outcomes.sql"), &[&topic.name]).await;
        let rows = rows.context("reading sink_outcome")?;
        let mut partitions = BTreeMap::new();
        for row in rows {
            let partition: i32 = read_column(&row, "partition")?;
            let outcomes = Outcomes::from_row(&row)?;
            ensure!(
                outcomes.adds_up(),
                "the equation of partition {partition} of {} doesn't hold: {outcomes}",
                topic.name
            );
            partitions.insert(partition, outcomes);
        }
        Ok(Self { partitions })
    }

    /// All partitions together.
    #[must_use]
    pub fn sum(&self) -> Outcomes {
        self.partitions.values().fold(Outcomes::default(), |sum, part| Outcomes {
            records: sum.records + part.records,
            stored: sum.stored + part.stored,
            merged: sum.merged + part.merged,
            duplicate: sum.duplicate + part.duplicate,
            conflict: sum.conflict + part.conflict,
            dead_lettered: sum.dead_lettered + part.dead_lettered,
            absent: sum.absent + part.absent,
            lost: sum.lost + part.lost,
            next_offset: sum.next_offset + part.next_offset,
        })
    }

    /// What became of the records since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Outcomes {
        let (now, before) = (self.sum(), before.sum());
        Outcomes {
            records: now.records - before.records,
            stored: now.stored - before.stored,
            merged: now.merged - before.merged,
            duplicate: now.duplicate - before.duplicate,
            conflict: now.conflict - before.conflict,
            dead_lettered: now.dead_lettered - before.dead_lettered,
            absent: now.absent - before.absent,
            lost: now.lost - before.lost,
            next_offset: now.next_offset,
        }
    }

    /// Records in Kafka that the sink hasn't come to.
    #[must_use]
    pub fn behind(&self, ends: &BTreeMap<i32, i64>) -> i64 {
        ends.iter()
            .map(|(partition, end)| end - self.partitions.get(partition).map_or(0, |part| part.next_offset))
            .sum()
    }
}

// === impl Outcomes ===

impl Outcomes {
    /// Records that were there: offsets without one, as transactions leave them, are none.
    #[must_use]
    pub const fn present(&self) -> i64 {
        self.records - self.absent
    }

    /// Whether every record is accounted for.
    #[must_use]
    pub const fn adds_up(&self) -> bool {
        self.records
            == self.stored
                + self.merged
                + self.duplicate
                + self.conflict
                + self.dead_lettered
                + self.absent
                + self.lost
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "records {} = stored {} + merged {} + duplicate {} + conflict {} + dead-lettered {} + absent {} + \
             lost {}",
            self.records,
            self.stored,
            self.merged,
            self.duplicate,
            self.conflict,
            self.dead_lettered,
            self.absent,
            self.lost
        )
    }
}

/// The high watermark of each partition of a topic. Blocking, as librdkafka is: it runs on a thread for that. The client is a
/// new one each time, so it knows no address of before.
///
/// # Errors
/// Where Kafka doesn't answer; with what the library said last of its connections, such as a certificate that it doesn't trust.
pub async fn topic_ends(kafka: &KafkaSettings, topic: Topic) -> anyhow::Result<BTreeMap<i32, i64>> {
    let mut config = kafka.client_config("wattline-loadtest")?;
    config.set("group.id", "wattline-loadtest-watermarks");
    let brokers = kafka.brokers.clone();
    let ends = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer<Said> =
            config.create_with_context(Said::default()).context("making a Kafka client")?;
        (0..topic.partitions)
            .map(|partition| {
                let ends = consumer.fetch_watermarks(topic.name, partition, WATERMARK_TIMEOUT);
                let (_, high) = ends.with_context(|| {
                    let said = Said::last(&consumer);
                    format!("asking Kafka at {brokers} for the end of {}/{partition}{said}", topic.name)
                })?;
                Ok((partition, high))
            })
            .collect()
    });
    ends.await.context("the thread that asks Kafka")?
}

/// Records in the readings topic that the sink hasn't stored yet.
///
/// # Errors
/// Where Kafka or the database doesn't answer.
pub async fn backlog(kafka: &KafkaSettings, client: &Client) -> anyhow::Result<i64> {
    let ends = topic_ends(kafka, topics::READINGS).await?;
    Ok(Store::read(client, &topics::READINGS).await?.behind(&ends))
}

/// The sum over all label sets of one metric in Prometheus' text form.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of messages")]
fn metric(text: &str, name: &str) -> anyhow::Result<u64> {
    let mut sum = None;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        let value = match rest.as_bytes().first() {
            Some(b' ') => rest,
            Some(b'{') => rest.rsplit_once('}').map_or("", |(_, value)| value),
            _ => continue,
        };
        let value: f64 = value.trim().parse().with_context(|| format!("the value of {line:?}"))?;
        *sum.get_or_insert(0) += value as u64;
    }
    sum.with_context(|| format!("there is no metric {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_only() {
        let text = "# TYPE a_total counter\na_total{x=\"}\"} 3\na_total{x=\"2\"} 4\na_total_b 9\nb 1.0\n";
        assert_eq!(metric(text, "a_total").unwrap(), 7);
        assert_eq!(metric(text, "b").unwrap(), 1);
        assert!(metric(text, "c").unwrap_err().to_string().contains('c'));
    }

    #[test]
    fn equations() {
        let door = Door { received: 10, forwarded: 5, ignored: 1, dead_lettered: 2, shed: 1, in_flight: 1 };
        assert!(door.adds_up());
        assert!(!Door { received: 11, ..door }.adds_up());
        let outcomes = Outcomes { records: 5, stored: 2, absent: 2, lost: 1, ..Outcomes::default() };
        assert!(outcomes.adds_up());
        assert_eq!(outcomes.present(), 3);
        assert!(!Outcomes { merged: 1, ..outcomes }.adds_up());
    }
}
