//! Which readings that the broker delivered again, and that were stamped on arrival, are second copies: their instants
//! differ, so only what came in the minutes before them tells.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::types::ToSql;
use wattline_reading::{Reading, Timestamp};

use crate::failure::Failure;
use crate::session::Session;
use crate::write::plan::{Candidate, Redelivery};
use crate::write::stored::{self, BEFORE};

/// How far back an equal reading makes one that was delivered again a copy.
const COPY_WINDOW_US: i64 = 5 * 60 * 1_000_000;

/// Whether a reading that was delivered again is a copy: it sees the meter's readings of the time before.
/// It is one if an equal one came, and the values changed meanwhile: of a meter that stands still, equal values
/// prove nothing.
#[derive(Clone, Debug)]
struct Window<'a> {
    reading: &'a Reading,
    first: Option<Reading>,
    equal: bool,
    changed: bool,
}

/// Judges those that may be copies, which are in the order of arrival: looks at the time before each of them, in the
/// table and in the batch.
///
/// # Errors
/// What the server says.
pub(crate) async fn judge(session: &mut Session, open: &mut [Candidate<'_>]) -> Result<(), Failure> {
    let mut windows: HashMap<i32, Vec<(usize, Window<'_>)>> = HashMap::new();
    for (place, candidate) in open.iter().enumerate() {
        if candidate.redelivery == Redelivery::Possible {
            let of_meter = windows.entry(candidate.meter_key).or_default();
            of_meter.push((place, Window::new(candidate.reading)));
        }
    }
    if windows.is_empty() {
        return Ok(());
    }
    observe_table(session, &mut windows).await?;
    for (place, seen) in open.iter().enumerate() {
        for (of, window) in windows.get_mut(&seen.meter_key).into_iter().flatten() {
            if place < *of {
                window.observe(seen.reading);
            }
        }
    }
    let verdicts: Vec<(usize, Redelivery)> =
        windows.into_values().flatten().map(|(place, window)| (place, window.verdict())).collect();
    for (place, verdict) in verdicts {
        open[place].redelivery = verdict;
    }
    Ok(())
}

async fn observe_table(
    session: &mut Session,
    windows: &mut HashMap<i32, Vec<(usize, Window<'_>)>>,
) -> Result<(), Failure> {
    let times = || windows.values().flatten().map(|(_, window)| window.reading.ts);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
    let first = Timestamp::from_micros(first.micros().saturating_sub(COPY_WINDOW_US)).to_chrono();
    let last = last.to_chrono();
    let keys: Vec<i32> = windows.keys().copied().collect();
    let statement = session.prepared(&BEFORE).await?;
    let parameters: [&(dyn ToSql + Sync); 3] = [&keys, &first, &last];
    // Row by row: a thousand meters with a reading a second are too many to hold.
    let mut rows = pin!(session.client().query_raw(&statement, parameters).await?);
    while let Some(row) = rows.try_next().await? {
        let (meter_key, seen) = stored::reading(&row)?;
        for (_, window) in windows.get_mut(&meter_key).into_iter().flatten() {
            window.observe(&seen);
        }
    }
    Ok(())
}

// === impl Window ===

impl<'a> Window<'a> {
    const fn new(reading: &'a Reading) -> Self {
        Self { reading, first: None, equal: false, changed: false }
    }

    /// One reading of the meter; it counts if it is of the time before.
    fn observe(&mut self, seen: &Reading) {
        let before_us = self.reading.ts.micros().saturating_sub(seen.ts.micros());
        if !(1..=COPY_WINDOW_US).contains(&before_us) {
            return;
        }
        self.equal |= same_values(seen, self.reading);
        match &self.first {
            None => self.first = Some(seen.clone()),
            Some(first) => self.changed |= !same_values(first, seen),
        }
    }

    const fn verdict(&self) -> Redelivery {
        if self.equal && self.changed { Redelivery::Certain } else { Redelivery::Possible }
    }
}

fn same_values(a: &Reading, b: &Reading) -> bool {
    a.measures == b.measures && a.register_epoch == b.register_epoch
}

#[cfg(test)]
mod tests {
    use wattline_reading::{Measures, TsSource};

    use super::*;

    fn reading(ts_us: i64, power_w: f64) -> Reading {
        Reading {
            ts_source: TsSource::Arrival,
            ..Reading::new(
                "m",
                Timestamp::from_micros(ts_us),
                Measures { power_w: Some(power_w), ..Measures::default() },
            )
        }
    }

    #[test]
    fn a_copy_under_another_time_needs_an_equal_one_and_a_change() {
        let again = reading(COPY_WINDOW_US, 1.0);
        for (seen, expected) in [
            (vec![], Redelivery::Possible),
            (vec![1.0], Redelivery::Possible),
            (vec![1.0, 1.0], Redelivery::Possible),
            (vec![2.0, 3.0], Redelivery::Possible),
            (vec![1.0, 2.0], Redelivery::Certain),
            (vec![2.0, 1.0], Redelivery::Certain),
        ] {
            let mut window = Window::new(&again);
            for power_w in &seen {
                window.observe(&reading(0, *power_w));
            }
            assert_eq!(window.verdict(), expected, "{seen:?}");
        }
    }

    #[test]
    fn only_the_time_before_counts() {
        let again = reading(COPY_WINDOW_US, 1.0);
        for (ts_us, expected) in [
            (-1, Redelivery::Possible),
            (0, Redelivery::Certain),
            (COPY_WINDOW_US - 1, Redelivery::Certain),
            (COPY_WINDOW_US, Redelivery::Possible),
        ] {
            let mut window = Window::new(&again);
            window.observe(&reading(ts_us, 2.0));
            window.observe(&reading(ts_us, 1.0));
            assert_eq!(window.verdict(), expected, "{ts_us}");
        }
    }
}
