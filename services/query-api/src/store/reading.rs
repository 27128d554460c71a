//! Raw readings, by keyset pages: a page costs the same wherever it lies.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wattline_reading::{MEASURES, Measures, PHASE_MEASURES, Reading, Timestamp, TsSource, measures};

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

const IN_RANGE: &str = "FROM reading r WHERE r.meter_key = $1 \
    AND r.ts >= coalesce($2::timestamptz, '-infinity') AND r.ts < coalesce($3::timestamptz, 'infinity') \
    AND r.ts > coalesce($4::timestamptz, '-infinity') AND r.ts < coalesce($5::timestamptz, 'infinity')";
static FORWARD: LazyLock<String> = LazyLock::new(|| select(&format!("{IN_RANGE} ORDER BY r.ts LIMIT $6")));
static BACKWARD: LazyLock<String> =
    LazyLock::new(|| select(&format!("{IN_RANGE} ORDER BY r.ts DESC LIMIT $6")));
static ANY: LazyLock<String> = LazyLock::new(|| format!("SELECT {IN_RANGE} LIMIT 1"));
pub(super) static NEWEST: LazyLock<String> =
    LazyLock::new(|| select("FROM reading r WHERE r.meter_key = $1 ORDER BY r.ts DESC LIMIT $2"));
static LATEST: LazyLock<String> = LazyLock::new(|| {
    select(
        "FROM unnest($1::int[]) key \
        CROSS JOIN LATERAL (SELECT * FROM reading WHERE meter_key = key ORDER BY ts DESC LIMIT 1) r",
    )
});
/// The first column of measures in these statements, and the first of phases.
const MEASURES_AT: usize = 4;
const PHASES_AT: usize = MEASURES_AT + MEASURES.len();

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
        let page = client.prepare_cached(if from_end { &BACKWARD } else { &FORWARD }).await?;
        let limit = i64::from(rows) + 1;
        let ReadingRange { from, to, after, before } = range;
        let found = client.query(&page, &[&meter.key, &from, &to, &after, &before, &limit]).await?;
        let mut found: Vec<Reading> = found.iter().map(|row| reading(row, &meter.id)).collect();
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
                let any = client.prepare_cached(&ANY).await?;
                let range: [&(dyn ToSql + Sync); 5] = [&meter.key, &from, &to, &after, &before];
                client.query_opt(&any, &range).await?.is_some()
            }
        };
        let (has_previous, has_next) = if from_end { (more, beyond) } else { (beyond, more) };
        Ok(Page { rows: found, has_previous, has_next })
    }

    /// The newest reading of each of these meters, by the meter's key.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn latest(&self, meters: &[MeterRow]) -> Result<HashMap<i32, Reading>> {
        let keys: Vec<i32> = meters.iter().map(|meter| meter.key).collect();
        let names: HashMap<i32, &str> = meters.iter().map(|meter| (meter.key, meter.id.as_str())).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(&LATEST).await?;
        let rows = client.query(&statement, &[&keys]).await?;
        let latest = rows.iter().filter_map(|row| {
            let key: i32 = row.get(0);
            Some((key, reading(row, names.get(&key)?)))
        });
        Ok(latest.collect())
    }
}

fn select(from: &str) -> String {
    let columns = measures::column_list();
    format!(
        "SELECT r.meter_key, r.ts, r.received_at, r.ts_source = 'device', {columns}, r.register_epoch {from}"
    )
}

/// A reading from the columns of [`select`].
pub(super) fn reading(row: &Row, meter_id: &str) -> Reading {
    let time = |index: usize| row.get::<_, DateTime<Utc>>(index).into();
    let mut measures = Measures::default();
    for (index, measure) in (MEASURES_AT..).zip(&MEASURES) {
        (measure.set)(&mut measures, row.get(index));
    }
    let mut arrays = PHASE_MEASURES.map(|_| None);
    for (index, array) in (PHASES_AT..).zip(&mut arrays) {
        *array = row.get(index);
    }
    measures.phases = Measures::phases_of(arrays);
    let epoch: Option<DateTime<Utc>> = row.get(PHASES_AT + PHASE_MEASURES.len());
    Reading {
        meter_id: meter_id.to_owned(),
        ts: time(1),
        received_at: time(2),
        ts_source: if row.get(3) { TsSource::Device } else { TsSource::Arrival },
        measures,
        register_epoch: epoch.map(Timestamp::from),
        redelivered: false,
        meter_info: None,
    }
}
