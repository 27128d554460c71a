//! The registry of meters.

use chrono::{DateTime, Utc};
use wattline_reading::meter_id::spelled;
use wattline_service::postgres::{FromRow, read_rows};
use wattline_service::row;

use super::{Page, Store};
use crate::error::Result;

row! {
    /// One meter.
    #[derive(Clone, Debug, PartialEq)]
    pub struct MeterRow {
        /// Its number in the other tables.
        pub key: i32,
        /// Its name to the world.
        pub id: String,
        /// When its first reading came.
        pub first_seen: DateTime<Utc>,
        /// When one came last, to about a minute.
        pub last_seen: DateTime<Utc>,
        /// How far its clock is off: arrival less device time in ms.
        pub clock_offset_ms: Option<i64>,
        /// When that was measured: there if, and only if, the offset is.
        pub clock_measured_at: Option<DateTime<Utc>>,
        /// Topic filter of the route that its messages come by.
        pub route: Option<String>,
        /// The device family that decodes them.
        pub family: Option<String>,
        /// The most that it can take or give, in W, where its route says so.
        pub max_power_w: Option<f64>,
        /// Usual distance of its readings, in s.
        pub expected_s: Option<i32>,
        /// Step of its registers, in Wh.
        pub resolution_wh: Option<f64>,
    }
}

// === impl Store ===

impl Store {
    /// The meter of this name, in any spelling of it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn meter(&self, id: &str) -> Result<Option<MeterRow>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("../sql/meter/by_id.sql")).await?;
        let found = client.query_opt(&statement, &[&spelled(id)]).await?;
        Ok(found.as_ref().map(MeterRow::from_row).transpose()?)
    }

    /// The meters after `after`, by name, that have `search` somewhere in it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn meters(&self, search: &str, after: &str, rows: u16) -> Result<Page<MeterRow>> {
        let pattern = if search.is_empty() { String::new() } else { like(&spelled(search)) };
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("../sql/meter/page.sql")).await?;
        let limit = i64::from(rows) + 1;
        let found = client.query(&statement, &[&after, &pattern, &limit]).await?;
        let mut rows_found: Vec<MeterRow> = read_rows(&found)?;
        let has_next = rows_found.len() > rows.into();
        rows_found.truncate(rows.into());
        Ok(Page { rows: rows_found, has_previous: !after.is_empty(), has_next })
    }
}

/// A pattern for text that holds `search` literally.
fn like(search: &str) -> String {
    let mut pattern = String::from("%");
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(like(r"a_b%c\d"), r"%a\_b\%c\\d%");
    }
}
