//! Quarter-hours summed into points: energies in whole mWh, coverage by the class that the width allows.
//!
//! Nothing can be known of what is still to come, so coverage is of what has elapsed at an instant that who asks gives:
//! the meter's *end*. The rules and all that is stored know none.

use chrono::{DateTime, Utc};

use super::grid::{Interval, Slot, ZoneGrid};
use crate::quality::{Flag, Quality};
use crate::{Bucket, Energy, PowerStatistics, QUARTER_HOUR_US};

/// Several energies of one direction, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Energy in mWh. None: nothing is known; 0: known to be nothing.
    pub mwh: Option<i64>,
    /// Time that has elapsed at the meter's end, in ms.
    pub elapsed_ms: i64,
    /// Known part of it, in ms.
    pub known_ms: i64,
    /// What the reader should know.
    pub quality: Quality,
}

/// Power of several quarter-hours that know one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerSum {
    /// The smallest, in mW.
    pub min_mw: i64,
    /// The largest, in mW.
    pub max_mw: i64,
    sum_mw: i64,
    quarters: u32,
}

/// A point of a series; without any quarter-hour it is a gap, and all but its times is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub slot: Slot,
    /// Whether it reaches beyond the meter's end.
    pub running: bool,
    /// What was taken from the grid.
    pub import: Sum,
    /// What was given to it.
    pub export: Sum,
    /// Power, where a quarter-hour of it knows one.
    pub power: Option<PowerSum>,
    /// Readings in it.
    pub reading_count: i64,
}

/// One point for each slot of the grid. `quarters` are stored quarter-hours in order of time, none outside of the grid;
/// `end` is how far time has elapsed for the meter.
#[must_use]
pub fn points(grid: &ZoneGrid, quarters: &[Bucket], end: DateTime<Utc>) -> Vec<Point> {
    let mut rest = quarters;
    let point = |&slot: &Slot| {
        let end_us = slot.end.timestamp_micros();
        let (mine, later) = rest.split_at(rest.partition_point(|quarter| quarter.start_us < end_us));
        rest = later;
        Point::new(slot, grid.interval, mine, end)
    };
    grid.slots.iter().map(point).collect()
}

/// The sum of points: import and export, each on its own.
#[must_use]
pub fn total(points: &[Point]) -> (Sum, Sum) {
    let sum = |direction: fn(&Point) -> Sum| points.iter().map(direction).fold(Sum::default(), Sum::and);
    (sum(|point| point.import), sum(|point| point.export))
}

// === impl Point ===

impl Point {
    fn new(slot: Slot, interval: Interval, quarters: &[Bucket], end: DateTime<Utc>) -> Self {
        let elapsed = Sum { elapsed_ms: slot.elapsed_ms(end), ..Sum::default() };
        let end_us = end.timestamp_micros();
        let sum = |direction: fn(&Bucket) -> &Energy| {
            let sums = quarters.iter().map(|quarter| {
                let elapsed_us = (end_us - quarter.start_us).clamp(0, QUARTER_HOUR_US);
                Sum::of(direction(quarter), interval, elapsed_us / 1000)
            });
            sums.fold(elapsed, Sum::and)
        };
        let powers = quarters.iter().filter_map(|quarter| quarter.power.as_ref());
        Self {
            slot,
            running: slot.is_running(end),
            import: sum(|quarter| &quarter.import),
            export: sum(|quarter| &quarter.export),
            power: powers.map(PowerSum::of).reduce(PowerSum::and),
            reading_count: quarters.iter().map(|quarter| i64::from(quarter.reading_count)).sum(),
        }
    }
}

// === impl Sum ===

impl Sum {
    /// What a quarter-hour gives to a point of this width; its time counts only for the elapsed part. Whether a long
    /// interval is a gap depends on the width asked for, so the stored flag, which is that of a quarter-hour, is not
    /// the answer.
    fn of(energy: &Energy, interval: Interval, elapsed_ms: i64) -> Self {
        let covered_ms = energy.covered_ms(interval.width_us());
        let whole_ms: i32 = energy.coverage_ms.iter().sum();
        let quality = energy.quality.without(Flag::Gap);
        let quality = if whole_ms > covered_ms { quality.with(Flag::Gap) } else { quality };
        let known_ms = i64::from(covered_ms).min(elapsed_ms);
        // A point has elapsed where it has no quarter-hour, too: its own time is counted, not theirs.
        Self { mwh: energy.mwh, elapsed_ms: 0, known_ms, quality }
    }

    /// Both together. What is unknown adds nothing.
    fn and(self, other: Self) -> Self {
        let mwh = match (self.mwh, other.mwh) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Self {
            mwh,
            elapsed_ms: self.elapsed_ms + other.elapsed_ms,
            known_ms: self.known_ms + other.known_ms,
            quality: self.quality.union(other.quality),
        }
    }

    /// Known share of what has elapsed, 0 to 1. None: nothing has.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ms of a few years")]
    pub fn coverage(&self) -> Option<f64> {
        (self.elapsed_ms > 0).then(|| (self.known_ms as f64 / self.elapsed_ms as f64).clamp(0.0, 1.0))
    }
}

// === impl PowerSum ===

impl PowerSum {
    const fn of(power: &PowerStatistics) -> Self {
        Self { min_mw: power.min_mw, max_mw: power.max_mw, sum_mw: power.avg_mw, quarters: 1 }
    }

    fn and(self, other: Self) -> Self {
        Self {
            min_mw: self.min_mw.min(other.min_mw),
            max_mw: self.max_mw.max(other.max_mw),
            sum_mw: self.sum_mw.saturating_add(other.sum_mw),
            quarters: self.quarters + other.quarters,
        }
    }

    /// The mean of the quarter-hours' means, in W.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "mW of one point")]
    pub fn avg_w(&self) -> f64 {
        self.sum_mw as f64 / (1000.0 * f64::from(self.quarters))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;
    use crate::QUARTER_HOUR_US;

    fn quarter(start_us: i64, mwh: Option<i64>, coverage_ms: [i32; 4], flags: &[Flag]) -> Bucket {
        Bucket {
            start_us,
            import: Energy { mwh, coverage_ms, quality: flags.iter().copied().collect() },
            export: Energy::default(),
            power: mwh.map(|_| PowerStatistics { min_mw: 1_000, avg_mw: 2_000, max_mw: 3_000 }),
            reading_count: 10,
        }
    }

    fn hours(hours: i64) -> (ZoneGrid, i64) {
        let from = DateTime::from_timestamp(1_795_168_800, 0).unwrap();
        let grid = ZoneGrid::new(from, from + TimeDelta::hours(hours), Interval::Hour, Tz::UTC, 100);
        (grid.unwrap(), from.timestamp_micros())
    }

    fn quarter_hours(from_us: i64, quarters: i64) -> ZoneGrid {
        let time = |us| DateTime::<Utc>::from_timestamp_micros(us).unwrap();
        let to = time(from_us + quarters * QUARTER_HOUR_US);
        ZoneGrid::new(time(from_us), to, Interval::QuarterHour, Tz::UTC, 1000).unwrap()
    }

    /// After everything: nothing runs.
    const LATER: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

    #[test]
    fn an_hour_without_rows_is_a_gap_not_a_zero() {
        let (grid, from) = hours(2);
        let rows = [quarter(from + 4 * QUARTER_HOUR_US, Some(0), [900_000, 0, 0, 0], &[])];
        let points = points(&grid, &rows, LATER);
        assert_eq!(points[0].import.mwh, None);
        assert_eq!(points[0].import.coverage(), Some(0.0));
        assert_eq!(points[0].power, None);
        assert_eq!(points[1].import.mwh, Some(0));
        assert_eq!(points[1].import.coverage(), Some(0.25));
        assert_eq!(points[1].power.map(|power| power.avg_w()), Some(2.0));
    }

    #[test]
    fn sums_are_exact_and_an_unknown_quarter_adds_nothing() {
        let (grid, from) = hours(1);
        let rows: Vec<Bucket> = [Some(100), None, Some(-3), Some(1)]
            .into_iter()
            .zip(0..)
            .map(|(mwh, index)| quarter(from + index * QUARTER_HOUR_US, mwh, [450_000, 0, 0, 0], &[]))
            .collect();
        let points = points(&grid, &rows, LATER);
        assert_eq!(points[0].import.mwh, Some(98));
        assert_eq!(points[0].reading_count, 40);
        let (import, export) = total(&points);
        assert_eq!((import.mwh, export.mwh), (Some(98), None));
        assert_eq!(import.known_ms, 1_800_000);
    }

    #[test]
    fn what_is_a_gap_for_a_quarter_may_be_covered_for_an_hour() {
        let (hour, from) = hours(1);
        let rows = [quarter(from, Some(1), [0, 900_000, 0, 0], &[Flag::Gap, Flag::Spread])];
        let import = points(&hour, &rows, LATER)[0].import;
        assert_eq!(import.known_ms, 900_000);
        assert_eq!(import.quality, Quality::NONE.with(Flag::Spread));
        assert!(!import.quality.is_estimated());
        let import = points(&quarter_hours(from, 1), &rows, LATER)[0].import;
        assert_eq!(import.known_ms, 0);
        assert!(import.quality.has(Flag::Gap) && import.quality.is_estimated());
    }

    #[test]
    fn coverage_is_of_what_has_elapsed() {
        let (grid, from) = hours(3);
        let whole =
            |quarter_of: i64| quarter(from + quarter_of * QUARTER_HOUR_US, Some(1), [900_000, 0, 0, 0], &[]);
        let end = DateTime::from_timestamp_micros(from).unwrap() + TimeDelta::minutes(90);
        // The last quarter-hour reaches beyond the end: a meter's clock may run ahead.
        let rows: Vec<Bucket> = (0..7).map(whole).collect();
        let points = points(&grid, &rows, end);
        let seen: Vec<_> = points
            .iter()
            .map(|point| {
                (point.running, point.import.elapsed_ms, point.import.known_ms, point.import.coverage())
            })
            .collect();
        let half = (true, 1_800_000, 1_800_000, Some(1.0));
        assert_eq!(seen, [(false, 3_600_000, 3_600_000, Some(1.0)), half, (true, 0, 0, None)]);
        let (import, export) = total(&points);
        assert_eq!((import.elapsed_ms, import.coverage()), (5_400_000, Some(1.0)));
        assert_eq!(export.coverage(), Some(0.0), "what has elapsed without a row is not known");
        // A gap of a quarter-hour in the morning.
        let gap: Vec<Bucket> = rows.iter().copied().filter(|row| row.start_us != from).collect();
        assert_eq!(total(&super::points(&grid, &gap, end)).0.coverage(), Some(5.0 / 6.0));
    }

    #[test]
    fn power_is_the_extremes_and_the_mean_of_the_means() {
        let (hour, from) = hours(1);
        let rows: Vec<Bucket> = [(-5_000, 1_000, 9_000), (2_000, 2_001, 2_002)]
            .into_iter()
            .zip(0..)
            .map(|((min_mw, avg_mw, max_mw), index)| Bucket {
                power: Some(PowerStatistics { min_mw, avg_mw, max_mw }),
                ..quarter(from + index * QUARTER_HOUR_US, None, [0; 4], &[])
            })
            .collect();
        let power = points(&hour, &rows, LATER)[0].power.unwrap();
        assert_eq!((power.min_mw, power.avg_w(), power.max_mw), (-5_000, 1.5005, 9_000));
    }

    proptest! {
        /// Whatever the width, nothing is lost and nothing comes twice: hours and quarter-hours have one total.
        #[test]
        fn every_width_has_the_same_total(
            energies in prop::collection::vec(prop::option::of((any::<bool>(), -1_000_i64..900_000)), 1..60),
            elapsed_s in -900_i64..60_000,
        ) {
            let quarters = i64::try_from(energies.len()).unwrap().div_euclid(4) * 4 + 4;
            let (hour, from) = hours(quarters / 4);
            let rows: Vec<Bucket> = energies.iter().zip(0..).filter_map(|(energy, index)| {
                let (known, mwh) = (*energy)?;
                Some(quarter(from + index * QUARTER_HOUR_US, known.then_some(mwh), [900_000, 0, 0, 0], &[]))
            }).collect();
            let end = DateTime::from_timestamp_micros(from).unwrap() + TimeDelta::seconds(elapsed_s);
            let fine = total(&points(&quarter_hours(from, quarters), &rows, end));
            prop_assert_eq!(total(&points(&hour, &rows, end)), fine);
            prop_assert!(fine.0.known_ms <= fine.0.elapsed_ms && fine.0.elapsed_ms <= quarters * 900_000);
            let expected = rows.iter().filter_map(|row| row.import.mwh).reduce(|a, b| a + b);
            prop_assert_eq!(fine.0.mwh, expected);
        }
    }
}
