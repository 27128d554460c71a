//! What the table has already: the rows at the batch's instants, and whether the meters are registered still.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use wattline_reading::{Measures, Reading, Timestamp, TsSource, measures};
use wattline_service::postgres::{FromRow, read_column};
use wattline_service::row;

use crate::failure::Failure;
use crate::session::Session;
use crate::write::plan::Key;

static AT: LazyLock<String> = LazyLock::new(|| with_measures(include_str!("../sql/reading_at.sql")));
/// Readings of some meters from one instant to another, for [`reading`].
pub(super) static BEFORE: LazyLock<String> =
    LazyLock::new(|| with_measures(include_str!("../sql/reading_before.sql")));
const REGISTERED: &str = include_str!("../sql/meter_registered.sql");

row! {
    /// A row of table `reading` but for its measures, whose columns are those of `wattline_reading::MEASURES`.
    struct ReadingRow<'row> {
        meter_key: i32,
        ts: DateTime<Utc>,
        received_at: DateTime<Utc>,
        ts_source: &'row str,
        register_epoch: Option<DateTime<Utc>>,
    }
}

/// The rows that the table has at these keys, which are in order. A meter's id is left out of them.
///
/// # Errors
/// What the server says.
pub(crate) async fn at(session: &mut Session, keys: &[Key]) -> Result<HashMap<Key, Reading>, Failure> {
    let times = || keys.iter().map(|(_, ts)| *ts);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(HashMap::new()) };
    let meters: Vec<i32> = keys.iter().map(|(meter_key, _)| *meter_key).collect();
    let all: Vec<DateTime<Utc>> = times().map(Timestamp::to_chrono).collect();
    let statement = session.prepared(&AT).await?;
    let rows =
        session.client().query(&statement, &[&meters, &all, &first.to_chrono(), &last.to_chrono()]).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (meter_key, reading) = reading(row)?;
        found.insert((meter_key, reading.ts), reading);
    }
    Ok(found)
}

/// Makes sure, in the transaction of the rows, that their meters are registered: a database that has lost its last commits
/// may have given the keys to others since they were read.
///
/// # Errors
/// [`Failure::MetersGone`] where one isn't, or what the server says.
pub(crate) async fn check_registered(session: &mut Session, meter_keys: &[i32]) -> Result<(), Failure> {
    if meter_keys.is_empty() {
        return Ok(());
    }
    let statement = session.prepared(REGISTERED).await?;
    let found: i64 = session.client().query_one(&statement, &[&meter_keys]).await?.try_get("found")?;
    if usize::try_from(found) == Ok(meter_keys.len()) { Ok(()) } else { Err(Failure::MetersGone) }
}

/// A row with the columns of table `reading`, `ts_source` as a text.
///
/// # Errors
/// Where a column is missing or of another type.
pub(super) fn reading(row: &Row) -> Result<(i32, Reading), tokio_postgres::Error> {
    let columns = ReadingRow::from_row(row)?;
    let is_arrival = columns.ts_source == TsSource::Arrival.as_str();
    let reading = Reading {
        meter_id: String::new(),
        ts: columns.ts.into(),
        received_at: columns.received_at.into(),
        ts_source: if is_arrival { TsSource::Arrival } else { TsSource::Device },
        measures: Measures::from_columns(|name| read_column(row, name), |name| read_column(row, name))?,
        register_epoch: columns.register_epoch.map(Timestamp::from),
        redelivered: false,
        meter_info: None,
    };
    Ok((columns.meter_key, reading))
}

fn with_measures(sql: &str) -> String {
    sql.replace("{measures}", &measures::column_list())
}
