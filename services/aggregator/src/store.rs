//! Changed buckets into the database.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use wattline_energy::{Bucket, Energy, Flag, PowerStatistics};
use wattline_reading::register::to_wh;

use crate::failure::Outcome;
use crate::load::time;
use crate::statements::Statements;

/// What is other than stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) written: Vec<(i32, Bucket)>,
    pub(crate) deleted: Vec<(i32, i64)>,
}

/// Writes and deletes.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    statements: &Statements,
    changes: &Changes,
) -> Outcome<()> {
    if !changes.written.is_empty() {
        let keys: Vec<i32> = changes.written.iter().map(|(key, _)| *key).collect();
        let columns = Columns::of(changes.written.iter().map(|(_, bucket)| bucket));
        let [i1, i2, i3, i4] = &columns.import.coverage_ms;
        let [e1, e2, e3, e4] = &columns.export.coverage_ms;
        let (import, export, [min, avg, max]) = (&columns.import, &columns.export, &columns.power_w);
        transaction
            .execute(
                &statements.upsert,
                &[
                    &keys,
                    &columns.bucket,
                    &import.wh,
                    &export.wh,
                    i1,
                    i2,
                    i3,
                    i4,
                    e1,
                    e2,
                    e3,
                    e4,
                    &import.quality,
                    &export.quality,
                    min,
                    avg,
                    max,
                    &columns.reading_count,
                ],
            )
            .await?;
    }
    if !changes.deleted.is_empty() {
        let (keys, starts): (Vec<i32>, Vec<DateTime<Utc>>) =
            changes.deleted.iter().map(|(key, start_us)| (*key, time(*start_us))).unzip();
        transaction.execute(&statements.delete, &[&keys, &starts]).await?;
    }
    Ok(())
}

/// Buckets as columns.
#[derive(Default)]
struct Columns {
    bucket: Vec<DateTime<Utc>>,
    import: EnergyColumns,
    export: EnergyColumns,
    power_w: [Vec<Option<f64>>; 3],
    reading_count: Vec<i32>,
}

#[derive(Default)]
struct EnergyColumns {
    wh: Vec<Option<f64>>,
    coverage_ms: [Vec<i32>; 4],
    quality: Vec<String>,
}

// === impl Changes ===

impl Changes {
    /// This bucket is to be stored.
    pub(crate) fn write(&mut self, meter_key: i32, bucket: Bucket) {
        self.written.push((meter_key, bucket));
    }

    /// This bucket is to go.
    pub(crate) fn delete(&mut self, meter_key: i32, start_us: i64) {
        self.deleted.push((meter_key, start_us));
    }

    /// How many buckets.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.written.len() + self.deleted.len()
    }
}

// === impl Columns ===

impl Columns {
    fn of<'a>(buckets: impl Iterator<Item = &'a Bucket>) -> Self {
        let mut columns = Self::default();
        for bucket in buckets {
            columns.bucket.push(time(bucket.start_us));
            columns.import.push(&bucket.import);
            columns.export.push(&bucket.export);
            let of =
                |which: fn(&PowerStatistics) -> i64| bucket.power.as_ref().map(|power| to_wh(which(power)));
            // mW to W is the same step as mWh to Wh.
            columns.power_w[0].push(of(|power| power.min_mw));
            columns.power_w[1].push(of(|power| power.avg_mw));
            columns.power_w[2].push(of(|power| power.max_mw));
            columns.reading_count.push(bucket.reading_count);
        }
        columns
    }
}

// === impl EnergyColumns ===

impl EnergyColumns {
    fn push(&mut self, energy: &Energy) {
        self.wh.push(energy.mwh.map(to_wh));
        for (column, ms) in self.coverage_ms.iter_mut().zip(energy.coverage_ms) {
            column.push(ms);
        }
        let words: Vec<&str> = energy.quality.flags().map(Flag::as_str).collect();
        self.quality.push(words.join(","));
    }
}
