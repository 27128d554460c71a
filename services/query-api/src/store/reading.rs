//! Raw readings, by keyset pages: a page costs the same wherever it lies.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wattline_reading::{Measures, Phase, Reading, Timestamp, TsSource, register};

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

/// Columns in the order in which [`reading`] takes them.
macro_rules! columns {
    () => {
        "r.ts, r.received_at, r.ts_source = 'device', r.power_w, r.energy_import_wh, r.energy_export_wh, \
         r.voltage_v, r.current_a, r.power_factor, r.frequency_hz, r.phase_power_w, r.phase_voltage_v, \
         r.phase_current_a, r.register_epoch"
    };
}

macro_rules! in_range {
    () => {
        " FROM reading r WHERE r.meter_key = $1 \
          AND r.ts >= coalesce($2::timestamptz, '-infinity') AND r.ts < coalesce($3::timestamptz, 'infinity') \
          AND r.ts > coalesce($4::timestamptz, '-infinity') AND r.ts < coalesce($5::timestamptz, 'infinity')"
    };
}

const FORWARD: &str = concat!("SELECT ", columns!(), in_range!(), " ORDER BY r.ts LIMIT $6");
const BACKWARD: &str = concat!("SELECT ", columns!(), in_range!(), " ORDER BY r.ts DESC LIMIT $6");
const ANY: &str = concat!("SELECT", in_range!(), " LIMIT 1");
pub(super) const NEWEST: &str =
    concat!("SELECT ", columns!(), " FROM reading r WHERE r.meter_key = $1 ORDER BY r.ts DESC LIMIT $2");
const LATEST: &str = concat!(
    "SELECT ",
    columns!(),
    ", key FROM unnest($1::int[]) key \
     CROSS JOIN LATERAL (SELECT * FROM reading WHERE meter_key = key ORDER BY ts DESC LIMIT 1) r"
);

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
        let page = client.prepare_cached(if from_end { BACKWARD } else { FORWARD }).await?;
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
                let any = client.prepare_cached(ANY).await?;
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
        let statement = client.prepare_cached(LATEST).await?;
        let rows = client.query(&statement, &[&keys]).await?;
        let latest = rows.iter().filter_map(|row| {
            let key: i32 = row.get(14);
            Some((key, reading(row, names.get(&key)?)))
        });
        Ok(latest.collect())
    }
}

/// A reading from the columns of `columns!`.
pub(super) fn reading(row: &Row, meter_id: &str) -> Reading {
    let time = |index: usize| row.get::<_, DateTime<Utc>>(index).into();
    let register = |index: usize| row.get::<_, Option<f64>>(index).map(register::from_wh);
    Reading {
        meter_id: meter_id.to_owned(),
        ts: time(0),
        received_at: time(1),
        ts_source: if row.get(2) { TsSource::Device } else { TsSource::Arrival },
        measures: Measures {
            power_w: row.get(3),
            energy_import_mwh: register(4),
            energy_export_mwh: register(5),
            voltage_v: row.get(6),
            current_a: row.get(7),
            power_factor: row.get(8),
            frequency_hz: row.get(9),
            phases: phases(row),
        },
        register_epoch: row.get::<_, Option<DateTime<Utc>>>(13).map(Timestamp::from),
        redelivered: false,
    }
}

fn phases(row: &Row) -> Vec<Phase> {
    let column = |index: usize| row.get::<_, Option<Vec<Option<f64>>>>(index).unwrap_or_default();
    let (power, voltage, current) = (column(10), column(11), column(12));
    let at = |values: &[Option<f64>], index: usize| values.get(index).copied().flatten();
    (0..power.len().max(voltage.len()).max(current.len()))
        .map(|index| Phase {
            power_w: at(&power, index),
            voltage_v: at(&voltage, index),
            current_a: at(&current, index),
        })
        .collect()
}
