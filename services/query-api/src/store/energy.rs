//! The rolled-up quarter-hours.

use chrono::{DateTime, Utc};
use wattline_energy::{Bucket, Energy, Flag, PowerStatistics, power};
use wattline_reading::register;
use wattline_service::postgres::read_rows;
use wattline_service::row;

use super::{MeterRow, Store};
use crate::error::Result;

row! {
    /// A stored quarter-hour; columns of the table `energy_15m`.
    struct QuarterRow {
        bucket: DateTime<Utc>,
        import_wh: Option<f64>,
        export_wh: Option<f64>,
        import_coverage_ms: Vec<i32>,
        export_coverage_ms: Vec<i32>,
        import_quality: Vec<String>,
        export_quality: Vec<String>,
        power_min_w: Option<f64>,
        power_avg_w: Option<f64>,
        power_max_w: Option<f64>,
        reading_count: i32,
    }
}

// === impl Store ===

impl Store {
    /// The stored quarter-hours that begin in [`from`, `to`), in order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn quarters(
        &self,
        meter: &MeterRow,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Bucket>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("../sql/quarters.sql")).await?;
        let rows = client.query(&statement, &[&meter.key, &from, &to]).await?;
        Ok(read_rows::<QuarterRow>(&rows)?.into_iter().map(Bucket::from).collect())
    }
}

// === impl QuarterRow ===

impl From<QuarterRow> for Bucket {
    fn from(row: QuarterRow) -> Self {
        let mw = |watts: Option<f64>| watts.map(power::from_w);
        let power = mw(row.power_min_w).zip(mw(row.power_avg_w)).zip(mw(row.power_max_w));
        Self {
            start_us: row.bucket.timestamp_micros(),
            import: energy(row.import_wh, row.import_coverage_ms, &row.import_quality),
            export: energy(row.export_wh, row.export_coverage_ms, &row.export_quality),
            power: power.map(|((min_mw, avg_mw), max_mw)| PowerStatistics { min_mw, avg_mw, max_mw }),
            reading_count: row.reading_count,
        }
    }
}

fn energy(wh: Option<f64>, coverage_ms: Vec<i32>, words: &[String]) -> Energy {
    Energy {
        mwh: wh.map(register::from_wh),
        coverage_ms: coverage_ms.try_into().unwrap_or_default(),
        quality: words.iter().map(|word| Flag::from_word(word).unwrap_or(Flag::Other)).collect(),
    }
}
