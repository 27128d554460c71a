//! Letters with their payloads, a page at a time: bounded in letters and bytes.

use chrono::{DateTime, Utc};
use tokio_postgres::GenericClient;
use wattline_reading::Timestamp;
use wattline_service::postgres::{read_column, read_rows};
use wattline_service::row;

use super::filter::Filter;
use super::{Key, explain};

/// Letters that are locked, produced and marked together.
const LETTERS_MAX: u64 = 1000;
/// Payloads of a page in memory; but always at least one letter.
const BYTES_MAX: i64 = 16 * 1024 * 1024;
/// The order of the index `dead_letter_open`.
const ORDER: &str = "received_at, source_topic, source_partition, source_offset, source_topic_id";

row! {
    /// A letter with its payload.
    struct WholeRow {
        source_topic: String,
        source_topic_id: String,
        source_partition: i32,
        source_offset: i64,
        mqtt_topic: Option<String>,
        record_key: Option<Vec<u8>>,
        retained: bool,
        received_at: DateTime<Utc>,
        payload: Vec<u8>,
        mqtt_broker: Option<String>,
    }
}

row! {
    /// Where a letter is, and how large.
    struct PlaceRow {
        source_topic: String,
        source_topic_id: String,
        source_partition: i32,
        source_offset: i64,
        received_at: DateTime<Utc>,
        payload_bytes: i32,
    }
}

/// A letter with its payload.
pub(super) struct Whole {
    pub(super) key: Key,
    pub(super) mqtt_topic: Option<String>,
    pub(super) record_key: Vec<u8>,
    pub(super) retained: bool,
    pub(super) received_at: Timestamp,
    pub(super) payload: Vec<u8>,
    pub(super) broker: Option<String>,
}

/// A walk through letters, from the first arrival to the last.
pub(super) struct Walk<'a> {
    filter: &'a Filter,
    /// How many more; none: all.
    left: Option<u64>,
    /// A record that the sink refuses again comes back as a new letter of the same arrival. What was stored after the
    /// walk began is not its own, or it would never end.
    begun: DateTime<Utc>,
    behind: Option<(DateTime<Utc>, Key)>,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    /// Begins now, by the server's clock.
    pub(super) async fn begin(
        client: &impl GenericClient,
        filter: &'a Filter,
        left: Option<u64>,
    ) -> anyhow::Result<Self> {
        let row = client.query_one(include_str!("../sql/dead_letters/clock.sql"), &[]).await;
        let begun = row.and_then(|row| read_column(&row, "now"));
        let begun = begun.map_err(|error| explain("cannot read the server's clock", &error))?;
        Ok(Self { filter, left, begun, behind: None })
    }

    /// The next letters; none at the end. With `lock` they are nobody else's until the transaction ends, and those
    /// that somebody else has are left out.
    pub(super) async fn next(
        &mut self,
        client: &impl GenericClient,
        lock: bool,
    ) -> anyhow::Result<Vec<Whole>> {
        let keys = self.keys(client, lock).await?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let topics: Vec<&str> = keys.iter().map(|key| key.topic.as_str()).collect();
        let ids: Vec<&str> = keys.iter().map(|key| key.topic_id.as_str()).collect();
        let partitions: Vec<i32> = keys.iter().map(|key| key.partition).collect();
        let offsets: Vec<i64> = keys.iter().map(|key| key.offset).collect();
        let sql = include_str!("../sql/dead_letters/payloads.sql");
        let rows = client.query(sql, &[&topics, &ids, &partitions, &offsets]).await;
        let rows = rows.and_then(|rows| read_rows::<WholeRow>(&rows));
        let rows = rows.map_err(|error| explain("cannot read the payloads of dead letters", &error))?;
        Ok(rows.into_iter().map(Whole::from).collect())
    }

    async fn keys(&mut self, client: &impl GenericClient, lock: bool) -> anyhow::Result<Vec<Key>> {
        let limit = self.left.map_or(LETTERS_MAX, |left| left.min(LETTERS_MAX));
        let mut wanted = self.filter.wanted();
        wanted.and("stored_at <= $", self.begun);
        if let Some((at, key)) = self.behind.clone() {
            let places = [
                wanted.value(at),
                wanted.value(key.topic),
                wanted.value(key.partition),
                wanted.value(key.offset),
                wanted.value(key.topic_id),
            ];
            wanted.condition(format!("({ORDER}) > ({})", places.join(", ")));
        }
        let lock = if lock { "FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = wanted
            .limited(include_str!("../sql/dead_letters/keys.sql"), limit.cast_signed())
            .replace("{lock}", lock);
        let rows = client.query(&sql, &wanted.values()).await;
        let rows = rows.and_then(|rows| read_rows::<PlaceRow>(&rows));
        let rows = rows.map_err(|error| explain("cannot read the dead letters", &error))?;
        let (mut keys, mut bytes) = (Vec::new(), 0);
        for row in rows {
            bytes += i64::from(row.payload_bytes);
            if bytes > BYTES_MAX && !keys.is_empty() {
                break;
            }
            let key = Key {
                topic: row.source_topic,
                topic_id: row.source_topic_id,
                partition: row.source_partition,
                offset: row.source_offset,
            };
            keys.push(key.clone());
            self.behind = Some((row.received_at, key));
        }
        self.left = self.left.map(|left| left.saturating_sub(keys.len() as u64));
        Ok(keys)
    }
}

// === impl Whole ===

impl From<WholeRow> for Whole {
    fn from(row: WholeRow) -> Self {
        Self {
            key: Key {
                topic: row.source_topic,
                topic_id: row.source_topic_id,
                partition: row.source_partition,
                offset: row.source_offset,
            },
            mqtt_topic: row.mqtt_topic,
            record_key: row.record_key.unwrap_or_default(),
            retained: row.retained,
            received_at: row.received_at.into(),
            payload: row.payload,
            broker: row.mqtt_broker,
        }
    }
}
