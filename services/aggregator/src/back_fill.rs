//! The table `recompute`: what is to be recomputed besides the live marks. It is worked off in slices.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use wattline_energy::reach::Changed;
use wattline_reading::partition;

use crate::failure::Outcome;
use crate::load::{Job, micros, time};

/// Rows looked at in one slice.
const CANDIDATES_MAX: i64 = 1_000;
/// Rows worked off in one slice, at most.
const ROWS_MAX: usize = 100;

/// One slice of the work.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// What is recomputed.
    pub jobs: Vec<Job>,
    /// Rows that are done with it.
    pub done: Vec<i64>,
    /// Rows of which a later part is left, from this time on.
    rest: Vec<(i64, DateTime<Utc>)>,
    /// The last row looked at; 0 after the table's end.
    pub cursor: i64,
}

/// Chooses a slice, behind `cursor`, of the meters in these partitions of so many. Only a partition's owner computes its
/// meters, live or from here: two computations of one meter are never under way at once.
///
/// # Errors
/// Where the database refuses or is away.
pub async fn choose(
    transaction: &Transaction<'_>,
    cursor: i64,
    owned: &[i32],
    partitions: i32,
    slice_us: i64,
) -> Outcome<Slice> {
    const CHOOSE: &str = "SELECT r.id, r.meter_key, m.meter_id, r.reason, \
         greatest(r.from_ts, '2001-09-09 01:46:40+00'), least(r.to_ts, now() + interval '1 day') \
         FROM recompute r JOIN meter m USING (meter_key) WHERE r.id > $1 ORDER BY r.id LIMIT $2";
    let rows = transaction.query(CHOOSE, &[&cursor, &CANDIDATES_MAX]).await?;
    let mut slice = Slice::default();
    let mut left_us = slice_us;
    for row in &rows {
        let (id, meter_key, meter_id, reason): (i64, i32, &str, &str) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let (from_us, to_us) = (micros(row.get(4)), micros(row.get(5)));
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
pub async fn note_done(transaction: &Transaction<'_>, slice: &Slice) -> Outcome<()> {
    if !slice.done.is_empty() {
        transaction.execute("DELETE FROM recompute WHERE id = ANY($1)", &[&slice.done]).await?;
    }
    if !slice.rest.is_empty() {
        let (ids, from): (Vec<i64>, Vec<DateTime<Utc>>) = slice.rest.iter().copied().unzip();
        let rest = "UPDATE recompute r SET from_ts = u.from_ts FROM unnest($1::bigint[], $2::timestamptz[]) \
             AS u(id, from_ts) WHERE r.id = u.id";
        transaction.execute(rest, &[&ids, &from]).await?;
    }
    Ok(())
}
