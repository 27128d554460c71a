//! The rolled-up quarter-hours.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use wattline_reading::register;

use super::{MeterRow, Store};
use crate::energy::{Direction, Quarter};
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
    ) -> Result<Vec<Quarter>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(QUARTERS).await?;
        let rows = client.query(&statement, &[&meter.key, &from, &to]).await?;
        Ok(rows.iter().map(quarter).collect())
    }
}

fn quarter(row: &Row) -> Quarter {
    Quarter {
        start: row.get(0),
        import: direction(row, 1, 3, 5),
        export: direction(row, 2, 4, 6),
        power_min_w: row.get(7),
        power_avg_w: row.get(8),
        power_max_w: row.get(9),
        readings: row.get::<_, i32>(10).into(),
    }
}

fn direction(row: &Row, energy: usize, coverage: usize, quality: usize) -> Direction {
    let classes: Vec<i32> = row.get(coverage);
    let mut coverage_ms = [0; 4];
    for (into, ms) in coverage_ms.iter_mut().zip(classes) {
        *into = i64::from(ms);
    }
    Direction {
        energy_mwh: row.get::<_, Option<f64>>(energy).map(register::from_wh),
        coverage_ms,
        quality: row.get::<_, Vec<String>>(quality).into_iter().collect(),
    }
}
