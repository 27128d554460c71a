//! Quarter-hours summed into buckets: energies in whole mWh, coverage by the class that the width allows.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::grid::{Grid, Interval, Slot};

/// One stored quarter-hour of a meter.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarter {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// What was taken from the grid.
    pub import: Direction,
    /// What was fed into it.
    pub export: Direction,
    /// Least power in W.
    pub power_min_w: Option<f64>,
    /// Mean power in W.
    pub power_avg_w: Option<f64>,
    /// Greatest power in W.
    pub power_max_w: Option<f64>,
    /// Readings in it.
    pub readings: i64,
}

/// One direction of a stored quarter-hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Direction {
    /// `None`: nothing is known; 0: known to be nothing.
    pub energy_mwh: Option<i64>,
    /// Known time in ms, by the length of the interval that it comes from: up to 15 min, 1 h, a day, longer.
    pub coverage_ms: [i64; 4],
    /// What the reader should know.
    pub quality: BTreeSet<String>,
}

/// One direction of a bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amount {
    /// `None`: nothing is known.
    pub energy_mwh: Option<i64>,
    /// Known time in ms.
    pub covered_ms: i64,
    /// What the reader should know.
    pub quality: BTreeSet<String>,
}

/// A bucket of a series; without any row it is a gap, and all but its times is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// When.
    pub slot: Slot,
    /// What was taken from the grid.
    pub import: Amount,
    /// What was fed into it.
    pub export: Amount,
    /// Least power in W.
    pub power_min_w: Option<f64>,
    /// Mean power in W, of its quarter-hours that know one.
    pub power_avg_w: Option<f64>,
    /// Greatest power in W.
    pub power_max_w: Option<f64>,
    /// Readings in it.
    pub readings: i64,
}

const GAP: &str = "gap";

/// One bucket for each slot of the grid. `quarters` are in order of time, none outside of the grid.
#[must_use]
pub fn series(grid: &Grid, quarters: &[Quarter]) -> Vec<Bucket> {
    let mut rest = quarters;
    grid.slots
        .iter()
        .map(|&slot| {
            let mine = rest.partition_point(|quarter| quarter.start < slot.end);
            let (mine, later) = rest.split_at(mine);
            rest = later;
            bucket(slot, grid.interval, mine)
        })
        .collect()
}

/// The sum of buckets, each direction on its own.
#[must_use]
pub fn total(buckets: &[Bucket]) -> (Amount, Amount) {
    let mut total = (Amount::default(), Amount::default());
    for bucket in buckets {
        total.0.add(&bucket.import);
        total.1.add(&bucket.export);
    }
    total
}

fn bucket(slot: Slot, interval: Interval, quarters: &[Quarter]) -> Bucket {
    let mut import = Amount::default();
    let mut export = Amount::default();
    let mut power = (0.0, 0.0);
    for quarter in quarters {
        import.add(&quarter.import.amount(interval));
        export.add(&quarter.export.amount(interval));
        if let Some(mean) = quarter.power_avg_w {
            power = (power.0 + mean, power.1 + 1.0);
        }
    }
    Bucket {
        slot,
        import,
        export,
        power_min_w: quarters.iter().filter_map(|quarter| quarter.power_min_w).reduce(f64::min),
        power_avg_w: (power.1 > 0.0).then(|| power.0 / power.1),
        power_max_w: quarters.iter().filter_map(|quarter| quarter.power_max_w).reduce(f64::max),
        readings: quarters.iter().map(|quarter| quarter.readings).sum(),
    }
}

// === impl Direction ===

impl Direction {
    /// What this quarter-hour gives to a bucket of this width. Whether a long interval is a gap depends on the
    /// width asked for, so the stored flag, which is that of a quarter-hour, is not the answer.
    fn amount(&self, interval: Interval) -> Amount {
        let classes = match interval {
            Interval::QuarterHour => 1,
            Interval::Hour => 2,
        };
        let (covered, too_long) = self.coverage_ms.split_at(classes);
        let mut quality = self.quality.clone();
        quality.remove(GAP);
        if too_long.iter().any(|&ms| ms > 0) {
            quality.insert(GAP.to_owned());
        }
        Amount { energy_mwh: self.energy_mwh, covered_ms: covered.iter().sum(), quality }
    }
}

// === impl Amount ===

impl Amount {
    fn add(&mut self, other: &Self) {
        if let Some(energy_mwh) = other.energy_mwh {
            self.energy_mwh = Some(self.energy_mwh.unwrap_or(0).saturating_add(energy_mwh));
        }
        self.covered_ms += other.covered_ms;
        self.quality.extend(other.quality.iter().cloned());
    }

    /// Known share of `width_ms`, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ms of a few years")]
    pub fn coverage(&self, width_ms: i64) -> f64 {
        (self.covered_ms as f64 / width_ms.max(1) as f64).clamp(0.0, 1.0)
    }

    /// Part of it is no measured register difference.
    #[must_use]
    pub fn is_estimated(&self) -> bool {
        [GAP, "power", "implausible"].iter().any(|flag| self.quality.contains(*flag))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use chrono_tz::Tz;

    use super::*;

    fn quarter(start: DateTime<Utc>, mwh: Option<i64>, coverage_ms: [i64; 4], quality: &[&str]) -> Quarter {
        Quarter {
            start,
            import: Direction {
                energy_mwh: mwh,
                coverage_ms,
                quality: quality.iter().map(|flag| (*flag).to_owned()).collect(),
            },
            export: Direction::default(),
            power_min_w: mwh.map(|_| 1.0),
            power_avg_w: mwh.map(|_| 2.0),
            power_max_w: mwh.map(|_| 3.0),
            readings: 10,
        }
    }

    fn hours(hours: i64) -> (Grid, DateTime<Utc>) {
        let from = DateTime::from_timestamp(1_795_168_800, 0).unwrap();
        let grid = Grid::new(from, from + TimeDelta::hours(hours), Interval::Hour, Tz::UTC, 100);
        (grid.unwrap(), from)
    }

    #[test]
    fn an_hour_without_rows_is_a_gap_not_a_zero() {
        let (grid, from) = hours(2);
        let rows = [quarter(from + TimeDelta::minutes(60), Some(0), [900_000, 0, 0, 0], &[])];
        let buckets = series(&grid, &rows);
        assert_eq!(buckets[0].import.energy_mwh, None);
        assert_eq!(buckets[0].import.coverage(3_600_000), 0.0);
        assert_eq!(buckets[1].import.energy_mwh, Some(0));
        assert_eq!(buckets[1].import.coverage(3_600_000), 0.25);
        assert_eq!(buckets[1].power_avg_w, Some(2.0));
    }

    #[test]
    fn sums_are_exact_and_an_unknown_quarter_adds_nothing() {
        let (grid, from) = hours(1);
        let rows: Vec<Quarter> = [Some(100), None, Some(-3), Some(1)]
            .into_iter()
            .zip(0..)
            .map(|(mwh, index)| quarter(from + TimeDelta::minutes(15 * index), mwh, [450_000, 0, 0, 0], &[]))
            .collect();
        let buckets = series(&grid, &rows);
        assert_eq!(buckets[0].import.energy_mwh, Some(98));
        assert_eq!(buckets[0].readings, 40);
        let (import, export) = total(&buckets);
        assert_eq!((import.energy_mwh, export.energy_mwh), (Some(98), None));
        assert_eq!(import.covered_ms, 1_800_000);
    }

    #[test]
    fn what_is_a_gap_for_a_quarter_may_be_covered_for_an_hour() {
        let (hour, from) = hours(1);
        let rows = [quarter(from, Some(1), [0, 900_000, 0, 0], &["gap", "spread"])];
        let bucket = &series(&hour, &rows)[0];
        assert_eq!(bucket.import.covered_ms, 900_000);
        assert!(!bucket.import.quality.contains("gap") && bucket.import.quality.contains("spread"));
        assert!(!bucket.import.is_estimated());
        let quarter_hour = Grid::new(from, from + TimeDelta::minutes(15), Interval::QuarterHour, Tz::UTC, 9);
        let bucket = &series(&quarter_hour.unwrap(), &rows)[0];
        assert_eq!(bucket.import.covered_ms, 0);
        assert!(bucket.import.quality.contains("gap") && bucket.import.is_estimated());
    }
}
