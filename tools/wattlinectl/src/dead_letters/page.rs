//! Letters with their payloads, a page at a time: bounded in letters and bytes.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row};
use wattline_reading::Timestamp;

use super::filter::Filter;
use super::{Key, explain, key, time};

/// Letters that are locked, produced and marked together.
const LETTERS_MAX: u64 = 1000;
/// Payloads of a page in memory; but always at least one letter.
const BYTES_MAX: i64 = 16 * 1024 * 1024;
/// The order of the index `dead_letter_open`.
const ORDER: &str = "received_at, source_topic, source_partition, source_offset";
const PAYLOADS: &str = "SELECT d.source_topic, d.source_partition, d.source_offset, d.mqtt_topic, d.record_key, \
        d.retained, d.received_at, d.payload, d.mqtt_broker \
    FROM unnest($1::text[], $2::int[], $3::bigint[]) WITH ORDINALITY AS p(t, p, o, place) \
    JOIN dead_letter d ON d.source_topic = p.t AND d.source_partition = p.p AND d.source_offset = p.o \
    ORDER BY place";

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
        let row = client.query_one("SELECT clock_timestamp()", &[]).await;
        let begun = row.map_err(|error| explain("cannot read the server's clock", &error))?.get(0);
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
        let partitions: Vec<i32> = keys.iter().map(|key| key.partition).collect();
        let offsets: Vec<i64> = keys.iter().map(|key| key.offset).collect();
        let rows = client.query(PAYLOADS, &[&topics, &partitions, &offsets]).await;
        let rows = rows.map_err(|error| explain("cannot read the payloads of dead letters", &error))?;
        Ok(rows.iter().map(whole).collect())
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
            ];
            wanted.condition(format!("({ORDER}) > ({})", places.join(", ")));
        }
        let lock = if lock { "FOR UPDATE SKIP LOCKED" } else { "" };
        let sql = format!(
            "SELECT source_topic, source_partition, source_offset, received_at, octet_length(payload) \
             FROM dead_letter {} ORDER BY {ORDER} LIMIT {limit} {lock}",
            wanted.clause()
        );
        let rows = client.query(&sql, &wanted.values()).await;
        let rows = rows.map_err(|error| explain("cannot read the dead letters", &error))?;
        let (mut keys, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            bytes += i64::from(row.get::<_, i32>(4));
            if bytes > BYTES_MAX && !keys.is_empty() {
                break;
            }
            keys.push(key(row));
            self.behind = Some((row.get(3), key(row)));
        }
        self.left = self.left.map(|left| left.saturating_sub(keys.len() as u64));
        Ok(keys)
    }
}

fn whole(row: &Row) -> Whole {
    Whole {
        key: key(row),
        mqtt_topic: row.get(3),
        record_key: row.get::<_, Option<Vec<u8>>>(4).unwrap_or_default(),
        retained: row.get(5),
        received_at: time(row, 6),
        payload: row.get(7),
        broker: row.get(8),
    }
}
