//! The newest readings of a meter and how far the sink has come, at one instant: a live stream goes on from there.

use tokio_postgres::IsolationLevel;
use wattline_reading::{Reading, topics};
use wattline_service::TopicIdentity;

use super::reading::{NEWEST, reading};
use super::{MeterRow, Store};
use crate::error::{ApiError, Result};

/// The sink's name in `stream_offset`.
const SINK: &str = "timescale-sink";
const OFFSET: &str = "SELECT next_offset, cluster_id, topic_id FROM stream_offset \
    WHERE consumer = $1 AND topic = $2 AND partition = $3";

/// What the table holds, and up to where.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The newest readings, in ascending order.
    pub readings: Vec<Reading>,
    /// The table holds what the meter's partition has below this offset of this topic. `None`: the sink has
    /// stored nothing of it yet.
    pub stored: Option<(i64, TopicIdentity)>,
}

// === impl Store ===

impl Store {
    /// The newest `rows` readings of a meter and the sink's offset in its partition, in one database snapshot.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn snapshot(&self, meter: &MeterRow, partition: i32, rows: u16) -> Result<Snapshot> {
        let _turn = self.snapshots.acquire().await.map_err(|error| ApiError::internal(&error.to_string()))?;
        let mut client = self.client().await?;
        let newest = client.prepare_cached(&NEWEST).await?;
        let offset = client.prepare_cached(OFFSET).await?;
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let limit = i64::from(rows);
        let found = transaction.query(&newest, &[&meter.key, &limit]).await?;
        let stored = transaction.query_opt(&offset, &[&SINK, &topics::READINGS.name, &partition]).await?;
        transaction.commit().await?;
        let mut readings: Vec<Reading> = found.iter().map(|row| reading(row, &meter.id)).collect();
        readings.reverse();
        let stored = stored.map(|row| {
            let identity = TopicIdentity { cluster_id: row.get(1), topic_id: row.get(2) };
            (row.get(0), identity)
        });
        Ok(Snapshot { readings, stored })
    }
}
