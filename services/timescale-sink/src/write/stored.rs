//! What the table has already: the rows at the batch's instants, and the time before readings that the broker
//! delivered again.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wattline_reading::{MEASURES, Measures, PHASE_MEASURES, Reading, Timestamp, TsSource, measures};

use crate::failure::Failure;
use crate::session::Session;
use crate::write::plan::{Incoming, Key, Redelivery, Window};

/// The bounds let the server leave out the chunks that hold none of the keys.
static AT: LazyLock<String> = LazyLock::new(|| {
    select(
        "FROM unnest($1::int[], $2::timestamptz[]) AS k(meter_key, ts) JOIN reading r USING (meter_key, ts) \
        WHERE r.ts BETWEEN $3 AND $4",
    )
});
static BEFORE: LazyLock<String> =
    LazyLock::new(|| select("FROM reading r WHERE r.meter_key = ANY($1) AND r.ts >= $2 AND r.ts < $3"));
/// The first column of measures in these statements, and the first of phases.
const MEASURES_AT: usize = 4;
const PHASES_AT: usize = MEASURES_AT + MEASURES.len();
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
    let statement = session.prepared(&AT).await?;
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
    let statement = session.prepared(&BEFORE).await?;
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

fn select(from: &str) -> String {
    let columns = measures::column_list();
    format!("SELECT r.meter_key, r.ts, r.received_at, r.ts_source::text, {columns}, r.register_epoch {from}")
}

fn decode(row: &Row) -> Result<(i32, Reading), tokio_postgres::Error> {
    let time = |index: usize| row.try_get::<_, DateTime<Utc>>(index).map(Timestamp::from);
    let epoch: Option<DateTime<Utc>> = row.try_get(PHASES_AT + PHASE_MEASURES.len())?;
    let ts_source: &str = row.try_get(3)?;
    let mut measures = Measures::default();
    for (index, measure) in (MEASURES_AT..).zip(&MEASURES) {
        (measure.set)(&mut measures, row.try_get(index)?);
    }
    let mut arrays = PHASE_MEASURES.map(|_| None);
    for (index, array) in (PHASES_AT..).zip(&mut arrays) {
        *array = row.try_get(index)?;
    }
    measures.phases = Measures::phases_of(arrays);
    let reading = Reading {
        meter_id: String::new(),
        ts: time(1)?,
        received_at: time(2)?,
        ts_source: if ts_source == TsSource::Arrival.as_str() { TsSource::Arrival } else { TsSource::Device },
        measures,
        register_epoch: epoch.map(Timestamp::from),
        redelivered: false,
        meter_info: None,
    };
    Ok((row.try_get(0)?, reading))
}
