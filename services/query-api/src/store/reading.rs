//! Raw readings, by keyset pages: a page costs the same wherever it lies.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wattline_reading::{Measures, Reading, Timestamp, TsSource, measures};
use wattline_service::postgres::{FromRow, read_column};
use wattline_service::row;

use super::{MeterRow, Page, Store};
use crate::error::Result;

/// Which readings: event times from `from` up to, not including, `to`, and strictly between the two cursors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadingRange {
    /// At or after.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
    /// After this one.
    pub after: Option<DateTime<Utc>>,
    /// Before this one.
    pub before: Option<DateTime<Utc>>,
}

/// The first readings of a range.
static FIRST: LazyLock<String> = LazyLock::new(|| with_measures(include_str!("../sql/reading/first.sql")));
/// The last ones.
static LAST: LazyLock<String> = LazyLock::new(|| with_measures(include_str!("../sql/reading/last.sql")));
/// A meter's newest ones.
pub(super) static NEWEST: LazyLock<String> =
    LazyLock::new(|| with_measures(include_str!("../sql/reading/newest.sql")));
/// The newest one of each meter.
static NEWEST_EACH: LazyLock<String> =
    LazyLock::new(|| with_measures(include_str!("../sql/reading/newest_each.sql")));
const ANY: &str = include_str!("../sql/reading/any.sql");

row! {
    /// When a reading was.
    struct TsRow {
        ts: DateTime<Utc>,
    }
}

row! {
    /// A reading but for its measures, whose columns are those of [`MEASURES`](wattline_reading::MEASURES).
    struct ReadingRow {
        meter_key: i32,
        ts: DateTime<Utc>,
        received_at: DateTime<Utc>,
        has_device_time: bool,
        register_epoch: Option<DateTime<Utc>>,
    }
}

// === impl Store ===

impl Store {
    /// The first `rows` readings of a range, or with `from_end` the last ones.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn readings(
        &self,
        meter: &MeterRow,
        range: ReadingRange,
        rows: u16,
        from_end: bool,
    ) -> Result<Page<Reading>> {
        let client = self.client().await?;
        let page = client.prepare_cached(if from_end { &LAST } else { &FIRST }).await?;
        let limit = i64::from(rows) + 1;
        let ReadingRange { from, to, after, before } = range;
        let found = client.query(&page, &[&meter.key, &from, &to, &after, &before, &limit]).await?;
        let mut found = read_readings(&found, &meter.id)?;
        let more = found.len() > rows.into();
        found.truncate(rows.into());
        if from_end {
            found.reverse();
        }
        // On the other side of the cursor there is at least the cursor's own row, if the range holds it.
        let microsecond = TimeDelta::microseconds(1);
        let other_side = if from_end {
            before.map(|before| (Some(before - microsecond), None))
        } else {
            after.map(|after| (None, Some(after + microsecond)))
        };
        let beyond = match other_side {
            None => false,
            Some((after, before)) => {
                let any = client.prepare_cached(ANY).await?;
                let range: [&(dyn ToSql + Sync); 5] = [&meter.key, &from, &to, &after, &before];
                client.query_opt(&any, &range).await?.is_some()
            }
        };
        let (has_previous, has_next) = if from_end { (more, beyond) } else { (beyond, more) };
        Ok(Page { rows: found, has_previous, has_next })
    }

    /// When the newest reading of a meter was, of any kind; none where its rows are gone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn newest_ts(&self, meter: &MeterRow) -> Result<Option<DateTime<Utc>>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("../sql/reading/newest_ts.sql")).await?;
        let found = client.query_opt(&statement, &[&meter.key]).await?;
        Ok(found.as_ref().map(TsRow::from_row).transpose()?.map(|row| row.ts))
    }

    /// The newest reading of each of these meters, by the meter's key.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn latest(&self, meters: &[MeterRow]) -> Result<HashMap<i32, Reading>> {
        let keys: Vec<i32> = meters.iter().map(|meter| meter.key).collect();
        let names: HashMap<i32, &str> = meters.iter().map(|meter| (meter.key, meter.id.as_str())).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(&NEWEST_EACH).await?;
        let rows = client.query(&statement, &[&keys]).await?;
        let mut latest = HashMap::with_capacity(rows.len());
        for row in &rows {
            let (key, mut reading) = read_reading(row)?;
            let Some(name) = names.get(&key) else { continue };
            (*name).clone_into(&mut reading.meter_id);
            latest.insert(key, reading);
        }
        Ok(latest)
    }
}

/// The statement with the columns of all measures: which those are stands in one table of `wattline_reading`.
fn with_measures(sql: &str) -> String {
    sql.replace("{measures}", &measures::column_list())
}

/// The readings of one meter.
pub(super) fn read_readings(rows: &[Row], meter_id: &str) -> Result<Vec<Reading>> {
    let readings = rows.iter().map(|row| {
        let (_, reading) = read_reading(row)?;
        Ok(Reading { meter_id: meter_id.to_owned(), ..reading })
    });
    readings.collect()
}

/// A reading without the meter's name, and the meter's key.
fn read_reading(row: &Row) -> Result<(i32, Reading)> {
    let columns = ReadingRow::from_row(row)?;
    let measures = Measures::from_columns(|name| read_column(row, name), |name| read_column(row, name))?;
    let reading = Reading {
        meter_id: String::new(),
        ts: columns.ts.into(),
        received_at: columns.received_at.into(),
        ts_source: if columns.has_device_time { TsSource::Device } else { TsSource::Arrival },
        measures,
        register_epoch: columns.register_epoch.map(Timestamp::from),
        redelivered: false,
        meter_info: None,
    };
    Ok((columns.meter_key, reading))
}
