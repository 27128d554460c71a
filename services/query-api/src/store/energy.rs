//! The rolled-up quarter-hours.

use chrono::{DateTime, TimeDelta, Utc};
use wattline_energy::derived::STILL_US_MAX;
use wattline_energy::{Bucket, Energy, Flag, PowerStatistics, Row, power};
use wattline_reading::register;
use wattline_service::postgres::read_rows;
use wattline_service::row;

use super::{MeterRow, Store};
use crate::error::Result;

/// Newest readings among which a register's last step is looked for, each of them.
const REGISTER_ROWS: i64 = 200;

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

row! {
    /// A reading as far as energy needs it; columns of the table `reading`.
    struct RegisterRow {
        ts: DateTime<Utc>,
        power_w: Option<f64>,
        energy_import_wh: Option<f64>,
        energy_export_wh: Option<f64>,
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

    /// What tells of a meter's power at `now`, in order of time: its newest readings, and before them one a
    /// quarter-hour for as long as a register may stand still before and after its last step.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn register_rows(&self, meter: &MeterRow, now: DateTime<Utc>) -> Result<Vec<Row>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("../sql/reading/registers.sql")).await?;
        let from = now - TimeDelta::microseconds(2 * STILL_US_MAX);
        let found = client.query(&statement, &[&meter.key, &REGISTER_ROWS, &from, &now]).await?;
        Ok(read_rows::<RegisterRow>(&found)?.into_iter().map(Row::from).collect())
    }
}

// === impl RegisterRow ===

impl From<RegisterRow> for Row {
    fn from(row: RegisterRow) -> Self {
        Self {
            ts_us: row.ts.timestamp_micros(),
            import_mwh: row.energy_import_wh.map(register::from_wh),
            export_mwh: row.energy_export_wh.map(register::from_wh),
            power_mw: row.power_w.map(power::from_w),
        }
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
