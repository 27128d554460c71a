//! The table `recompute`: what is to be recomputed besides the live marks. It is worked off in slices.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use wattline_energy::reach::Changed;
use wattline_reading::partition;
use wattline_service::postgres::read_rows;
use wattline_service::row;

use crate::failure::Outcome;
use crate::load::{Job, micros, time};

/// Rows looked at in one slice.
const CANDIDATES_MAX: i64 = 1_000;
/// Rows worked off in one slice, at most.
const ROWS_MAX: usize = 100;

row! {
    /// Of `recompute_choose.sql`.
    #[derive(Clone, Copy)]
    struct ChosenRow<'row> {
        id: i64,
        meter_key: i32,
        meter_id: &'row str,
        reason: &'row str,
        from_ts: DateTime<Utc>,
        to_ts: DateTime<Utc>,
    }
}

/// One slice of the work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slice {
    /// What is recomputed.
    pub(crate) jobs: Vec<Job>,
    /// Rows that are done with it.
    pub(crate) done: Vec<i64>,
    /// Rows of which a later part is left, from this time on.
    rest: Vec<(i64, DateTime<Utc>)>,
    /// The last row looked at; 0 after the table's end.
    pub(crate) cursor: i64,
}

/// Chooses a slice, behind `cursor`, of the meters in these partitions of so many. Only a partition's owner computes its
/// meters, live or from here: two computations of one meter are never under way at once.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn choose(
    transaction: &Transaction<'_>,
    cursor: i64,
    owned: &[i32],
    partitions: i32,
    slice_us: i64,
) -> Outcome<Slice> {
    let rows =
        transaction.query(include_str!("sql/recompute_choose.sql"), &[&cursor, &CANDIDATES_MAX]).await?;
    let rows: Vec<ChosenRow<'_>> = read_rows(&rows)?;
    let mut slice = Slice::default();
    let mut left_us = slice_us;
    for row in &rows {
        let ChosenRow { id, meter_key, meter_id, reason, from_ts, to_ts } = *row;
        let (from_us, to_us) = (micros(from_ts), micros(to_ts));
        if !owned.contains(&partition::of_key(meter_id.as_bytes(), partitions)) {
            slice.cursor = id;
            continue;
        }
        if left_us <= 0 || slice.jobs.len() >= ROWS_MAX {
            return Ok(slice);
        }
        slice.cursor = id;
        let last_us = to_us.min(from_us.saturating_add(left_us));
        left_us -= last_us - from_us;
        if last_us < to_us {
            slice.rest.push((id, time(last_us + 1)));
        } else {
            slice.done.push(id);
        }
        if from_us <= last_us {
            let changed = Changed { first_us: from_us, last_us };
            // A spilled mark comes of records; anybody else may have deleted rows too.
            slice.jobs.push(Job { meter_key, changed, always: reason != "spill" });
        }
    }
    if i64::try_from(rows.len()).unwrap_or(CANDIDATES_MAX) < CANDIDATES_MAX {
        slice.cursor = 0;
    }
    Ok(slice)
}

/// Notes in the table what is done.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn note_done(transaction: &Transaction<'_>, slice: &Slice) -> Outcome<()> {
    if !slice.done.is_empty() {
        transaction.execute(include_str!("sql/recompute_done.sql"), &[&slice.done]).await?;
    }
    if !slice.rest.is_empty() {
        let (ids, from): (Vec<i64>, Vec<DateTime<Utc>>) = slice.rest.iter().copied().unzip();
        transaction.execute(include_str!("sql/recompute_rest.sql"), &[&ids, &from]).await?;
    }
    Ok(())
}
