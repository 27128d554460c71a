//! The registry of meters.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{Page, Store};
use crate::error::Result;

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
    /// How far its clock is off: arrival less device time in ms, and when that was measured.
    pub clock: Option<(i64, DateTime<Utc>)>,
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

macro_rules! select {
    ($from:literal) => {
        concat!(
            "SELECT meter_key, meter_id, first_seen, last_seen, clock_offset_ms, clock_measured_at, route, family, \
             max_power_w, expected_s, resolution_wh ",
            $from
        )
    };
}

const BY_ID: &str = select!("FROM meter WHERE meter_id = $1");
const PAGE: &str =
    select!("FROM meter WHERE meter_id > $1 AND ($2 = '' OR meter_id ILIKE $2) ORDER BY meter_id LIMIT $3");

// === impl Store ===

impl Store {
    /// The meter of this name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn meter(&self, id: &str) -> Result<Option<MeterRow>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(BY_ID).await?;
        Ok(client.query_opt(&statement, &[&id]).await?.as_ref().map(meter))
    }

    /// The meters after `after`, by name, that have `search` somewhere in it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn meters(&self, search: &str, after: &str, rows: u16) -> Result<Page<MeterRow>> {
        let pattern = if search.is_empty() { String::new() } else { like(search) };
        let client = self.client().await?;
        let statement = client.prepare_cached(PAGE).await?;
        let limit = i64::from(rows) + 1;
        let found = client.query(&statement, &[&after, &pattern, &limit]).await?;
        let mut rows_found: Vec<MeterRow> = found.iter().map(meter).collect();
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

fn meter(row: &Row) -> MeterRow {
    let offset_ms: Option<i64> = row.get(4);
    MeterRow {
        key: row.get(0),
        id: row.get(1),
        first_seen: row.get(2),
        last_seen: row.get(3),
        clock: offset_ms.zip(row.get(5)),
        route: row.get(6),
        family: row.get(7),
        max_power_w: row.get(8),
        expected_s: row.get(9),
        resolution_wh: row.get(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(like(r"a_b%c\d"), r"%a\_b\%c\\d%");
    }
}
