//! The newest readings of a meter and how far the sink has come, at one instant: a live stream goes on from there.

use tokio_postgres::IsolationLevel;
use wattline_reading::{Reading, topics};
use wattline_service::postgres::FromRow;
use wattline_service::{TopicIdentity, row};

use super::reading::{NEWEST, read_readings};
use super::{MeterRow, Store};
use crate::error::{ApiError, Result};

/// The sink's name in `stream_offset`.
const SINK: &str = "timescale-sink";
row! {
    /// How far the sink has come, and in which topic.
    struct OffsetRow {
        next_offset: i64,
        cluster_id: String,
        topic_id: String,
    }
}

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
        let offset = client.prepare_cached(include_str!("../sql/offset.sql")).await?;
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
        let mut readings: Vec<Reading> = read_readings(&found, &meter.id)?;
        readings.reverse();
        let stored = stored.as_ref().map(OffsetRow::from_row).transpose()?;
        let stored = stored.map(|OffsetRow { next_offset, cluster_id, topic_id }| {
            (next_offset, TopicIdentity { cluster_id, topic_id })
        });
        Ok(Snapshot { readings, stored })
    }
}
