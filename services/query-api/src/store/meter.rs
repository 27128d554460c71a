//! The registry of meters.

use chrono::{DateTime, TimeDelta, Utc};
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

/// The usual distance in s that is reckoned with before a meter has one of its own.
const EXPECTED_S: i64 = 900;
/// So many usual distances without a reading make a meter silent.
const SILENCE_DISTANCES: i64 = 3;
/// No meter is silent before this.
const SILENCE_S_MIN: i64 = 120;

// === impl MeterRow ===

impl MeterRow {
    /// How old a reading of it may be and still say something of now: so many usual distances.
    #[must_use]
    pub fn current(&self) -> TimeDelta {
        TimeDelta::seconds(SILENCE_DISTANCES * self.expected_s.map_or(EXPECTED_S, i64::from))
    }

    /// After how long without a reading it is silent.
    #[must_use]
    pub fn silent_after(&self) -> TimeDelta {
        self.current().max(TimeDelta::seconds(SILENCE_S_MIN))
    }

    /// Up to when time has elapsed for this meter, whose newest reading was at `newest`: what comes after a reading is
    /// told by the next one, so nothing is missing until then. Of a silent meter all until `now` is missing.
    #[must_use]
    pub fn end(&self, newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        let silent_after = self.silent_after();
        newest.filter(|&newest| now - newest <= silent_after).map_or(now, |newest| newest.min(now))
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
    fn time_elapses_up_to_the_newest_reading_unless_the_meter_is_silent() {
        let now = DateTime::from_timestamp(1_795_168_800, 0).unwrap();
        let meter = |expected_s| MeterRow {
            key: 1,
            id: "home-01".to_owned(),
            first_seen: now,
            last_seen: now,
            clock_offset_ms: None,
            clock_measured_at: None,
            route: None,
            family: None,
            max_power_w: None,
            expected_s,
            resolution_wh: None,
        };
        // The meter's usual distance, how long ago its newest reading was, and where time ends, both in s before now.
        for (expected_s, newest_s, end_s) in [
            (Some(10), 7, 7),
            (Some(10), 120, 120),
            (Some(10), 121, 0),
            (Some(900), 2_700, 2_700),
            (Some(900), 2_701, 0),
            (None, 2_700, 2_700),
            (None, 2_701, 0),
            (Some(10), -60, 0),
        ] {
            let ago = |s| now - TimeDelta::seconds(s);
            assert_eq!(
                meter(expected_s).end(Some(ago(newest_s)), now),
                ago(end_s),
                "{expected_s:?} {newest_s}"
            );
        }
        assert_eq!(meter(Some(10)).end(None, now), now, "its rows are gone");
    }

    #[test]
    fn a_search_is_taken_literally() {
        assert_eq!(like(r"a_b%c\d"), r"%a\_b\%c\\d%");
    }
}
