//! The rolled-up quarter-hours.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use wattline_energy::{Bucket, Energy, Flag, PowerStatistics, power};
use wattline_reading::register;

use super::{MeterRow, Store};
use crate::error::Result;

const QUARTERS: &str = "SELECT bucket, import_wh, export_wh, import_coverage_ms, export_coverage_ms, \
    import_quality, export_quality, power_min_w, power_avg_w, power_max_w, reading_count \
    FROM energy_15m WHERE meter_key = $1 AND bucket >= $2 AND bucket < $3 ORDER BY bucket";

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
        let statement = client.prepare_cached(QUARTERS).await?;
        let rows = client.query(&statement, &[&meter.key, &from, &to]).await?;
        Ok(rows.iter().map(quarter).collect())
    }
}

fn quarter(row: &Row) -> Bucket {
    let mw = |index: usize| row.get::<_, Option<f64>>(index).map(power::from_w);
    let power = mw(7).zip(mw(8)).zip(mw(9));
    Bucket {
        start_us: row.get::<_, DateTime<Utc>>(0).timestamp_micros(),
        import: energy(row, 1, 3, 5),
        export: energy(row, 2, 4, 6),
        power: power.map(|((min_mw, avg_mw), max_mw)| PowerStatistics { min_mw, avg_mw, max_mw }),
        reading_count: row.get(10),
    }
}

fn energy(row: &Row, wh: usize, coverage: usize, quality: usize) -> Energy {
    let coverage_ms: Vec<i32> = row.get(coverage);
    let words: Vec<&str> = row.get(quality);
    Energy {
        mwh: row.get::<_, Option<f64>>(wh).map(register::from_wh),
        coverage_ms: coverage_ms.try_into().unwrap_or_default(),
        quality: words.into_iter().map(|word| Flag::from_word(word).unwrap_or(Flag::Other)).collect(),
    }
}
