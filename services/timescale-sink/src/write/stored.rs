//! What the table has already: the rows at the batch's instants, and the time before readings that the broker
//! delivered again.

use std::collections::HashMap;
use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wattline_reading::{Measures, Phase, Reading, Timestamp, TsSource, register};

use crate::failure::Failure;
use crate::session::Session;
use crate::write::plan::{Incoming, Key, Redelivery, Window};

/// The bounds let the server leave out the chunks that hold none of the keys.
const AT: &str = "SELECT r.meter_key, r.ts, r.received_at, r.ts_source::text, r.power_w, r.energy_import_wh, \
        r.energy_export_wh, r.voltage_v, r.current_a, r.power_factor, r.frequency_hz, r.phase_power_w, \
        r.phase_voltage_v, r.phase_current_a, r.register_epoch \
    FROM unnest($1::int[], $2::timestamptz[]) AS k(meter_key, ts) JOIN reading r USING (meter_key, ts) \
    WHERE r.ts BETWEEN $3 AND $4";
const BEFORE: &str = "SELECT r.meter_key, r.ts, r.received_at, r.ts_source::text, r.power_w, r.energy_import_wh, \
        r.energy_export_wh, r.voltage_v, r.current_a, r.power_factor, r.frequency_hz, r.phase_power_w, \
        r.phase_voltage_v, r.phase_current_a, r.register_epoch \
    FROM reading r WHERE r.meter_key = ANY($1) AND r.ts >= $2 AND r.ts < $3";
/// How far back an equal reading makes one that was delivered again a copy.
const COPY_WINDOW_US: i64 = 5 * 60 * 1_000_000;

/// The rows that the table has at these keys. A meter's id is left out of them.
///
/// # Errors
/// What the server says.
pub async fn at(session: &mut Session, keys: &[Key]) -> Result<HashMap<Key, Reading>, Failure> {
    let (Some(first), Some(last)) =
        (keys.iter().map(|(_, ts)| *ts).min(), keys.iter().map(|(_, ts)| *ts).max())
    else {
        return Ok(HashMap::new());
    };
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    let meters: Vec<i32> = keys.iter().map(|(meter_key, _)| *meter_key).collect();
    let times: Vec<DateTime<Utc>> = keys.iter().map(|(_, ts)| ts.to_chrono()).collect();
    let statement = session.prepared(AT).await?;
    let rows =
        session.client().query(&statement, &[&meters, &times, &first.to_chrono(), &last.to_chrono()]).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (meter_key, reading) = decode(row)?;
        found.insert((meter_key, reading.ts), reading);
    }
    Ok(found)
}

/// Finds out which readings that were stamped on arrival and delivered again are copies: looks at the five minutes
/// before each of them, in the table and in the batch.
///
/// # Errors
/// What the server says.
pub async fn judge_redeliveries(session: &mut Session, incoming: &mut [Incoming<'_>]) -> Result<(), Failure> {
    let mut windows: HashMap<i32, Vec<(usize, Window<'_>)>> = HashMap::new();
    for (index, candidate) in incoming.iter().enumerate() {
        if candidate.redelivery == Redelivery::Possible {
            let of_meter = windows.entry(candidate.meter_key).or_default();
            of_meter.push((index, Window::new(candidate.reading)));
        }
    }
    if windows.is_empty() {
        return Ok(());
    }
    let places: Vec<(usize, i32, Timestamp)> = windows
        .iter()
        .flat_map(|(key, of_meter)| {
            of_meter.iter().map(|(index, _)| (*index, *key, incoming[*index].reading.ts))
        })
        .collect();
    observe_table(session, &places, &mut windows, incoming).await?;
    for (place, seen) in incoming.iter().enumerate() {
        for (index, window) in windows.get_mut(&seen.meter_key).into_iter().flatten() {
            if place < *index && is_before(seen.reading.ts, incoming[*index].reading.ts) {
                window.observe(seen.reading);
            }
        }
    }
    let verdicts: Vec<(usize, Redelivery)> =
        windows.values().flatten().map(|(index, window)| (*index, window.verdict())).collect();
    for (index, verdict) in verdicts {
        incoming[index].redelivery = verdict;
    }
    Ok(())
}

async fn observe_table(
    session: &mut Session,
    places: &[(usize, i32, Timestamp)],
    windows: &mut HashMap<i32, Vec<(usize, Window<'_>)>>,
    incoming: &[Incoming<'_>],
) -> Result<(), Failure> {
    let times = || places.iter().map(|(_, _, ts)| ts.micros());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
    let keys: Vec<i32> = windows.keys().copied().collect();
    let first = Timestamp::from_micros(first.saturating_sub(COPY_WINDOW_US)).to_chrono();
    let last = Timestamp::from_micros(last).to_chrono();
    let statement = session.prepared(BEFORE).await?;
    let parameters: [&(dyn ToSql + Sync); 3] = [&keys, &first, &last];
    // Row by row: a thousand meters with a reading a second are too many to hold.
    let mut rows = pin!(session.client().query_raw(&statement, parameters).await?);
    while let Some(row) = rows.try_next().await? {
        let (meter_key, seen) = decode(&row)?;
        for (index, window) in windows.get_mut(&meter_key).into_iter().flatten() {
            if is_before(seen.ts, incoming[*index].reading.ts) {
                window.observe(&seen);
            }
        }
    }
    Ok(())
}

fn is_before(seen: Timestamp, ts: Timestamp) -> bool {
    seen < ts && ts.micros().saturating_sub(seen.micros()) <= COPY_WINDOW_US
}

fn decode(row: &Row) -> Result<(i32, Reading), tokio_postgres::Error> {
    let time = |index: usize| row.try_get::<_, DateTime<Utc>>(index).map(Timestamp::from);
    let mwh = |index: usize| row.try_get::<_, Option<f64>>(index).map(|wh| wh.map(register::from_wh));
    let epoch: Option<DateTime<Utc>> = row.try_get(14)?;
    let ts_source: &str = row.try_get(3)?;
    let reading = Reading {
        meter_id: String::new(),
        ts: time(1)?,
        received_at: time(2)?,
        ts_source: if ts_source == TsSource::Arrival.as_str() { TsSource::Arrival } else { TsSource::Device },
        measures: Measures {
            power_w: row.try_get(4)?,
            energy_import_mwh: mwh(5)?,
            energy_export_mwh: mwh(6)?,
            voltage_v: row.try_get(7)?,
            current_a: row.try_get(8)?,
            power_factor: row.try_get(9)?,
            frequency_hz: row.try_get(10)?,
            phases: phases(row.try_get(11)?, row.try_get(12)?, row.try_get(13)?),
        },
        register_epoch: epoch.map(Timestamp::from),
        redelivered: false,
    };
    Ok((row.try_get(0)?, reading))
}

/// Three arrays to a list; an array that is missing or short says nothing of the phases beyond it.
fn phases(
    power_w: Option<Vec<Option<f64>>>,
    voltage_v: Option<Vec<Option<f64>>>,
    current_a: Option<Vec<Option<f64>>>,
) -> Vec<Phase> {
    let arrays = [power_w, voltage_v, current_a].map(Option::unwrap_or_default);
    let count = arrays.iter().map(Vec::len).max().unwrap_or(0);
    let at = |array: &Vec<Option<f64>>, index: usize| array.get(index).copied().flatten();
    let phase = |index| Phase {
        power_w: at(&arrays[0], index),
        voltage_v: at(&arrays[1], index),
        current_a: at(&arrays[2], index),
    };
    (0..count).map(phase).collect()
}
