//! A zone's clock over a window of quarter-hours: date, time of day and offset of each.
//!
//! All offsets in use since 2000 are multiples of 15 minutes, so a quarter-hour has one of each.

use std::ops::Range;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::day::Day;

/// Quarter-hours since 1970 in UTC.
pub(crate) type Quarter = i64;

/// Quarter-hours of a day on the clock.
pub(crate) const DAY_QUARTERS: i64 = 96;
/// Seconds of a quarter-hour.
pub(crate) const QUARTER_S: i64 = 900;
/// No offset is further from UTC, in quarter-hours.
const OFFSET_MAX: i64 = 72;

/// What the clock shows as a quarter-hour begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// Never falls: where clocks are set back over midnight, the new date goes on.
    pub(crate) day: Day,
    /// Quarter-hours since midnight, below 96.
    pub(crate) time: u8,
    /// Quarter-hours ahead of UTC.
    pub(crate) offset: i8,
}

/// The clock of a zone in a window.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) zone: Tz,
    first: Quarter,
    locals: Vec<Local>,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn new(zone: Tz, window: &Range<Quarter>) -> Self {
        let mut locals = Vec::with_capacity(usize::try_from(window.end - window.start).unwrap_or(0));
        let mut latest = Day::MIN;
        let mut quarter = window.start;
        while quarter < window.end {
            let offset = offset(zone, quarter);
            let end = same_offset_until(zone, quarter, offset).min(window.end);
            for at in quarter..end {
                let shown = at + offset;
                let day = Day::try_from(shown.div_euclid(DAY_QUARTERS)).unwrap_or(latest);
                latest = latest.max(day);
                let time = u8::try_from(shown.rem_euclid(DAY_QUARTERS)).unwrap_or(0);
                locals.push(Local { day: latest, time, offset: i8::try_from(offset).unwrap_or(0) });
            }
            quarter = end;
        }
        Self { zone, first: window.start, locals }
    }

    /// Of a quarter-hour in the window.
    pub(crate) fn at(&self, quarter: Quarter) -> Local {
        self.locals[self.index(quarter)]
    }

    /// Of quarter-hours in the window.
    pub(crate) fn slice(&self, range: Range<Quarter>) -> &[Local] {
        &self.locals[self.index(range.start)..self.index(range.end)]
    }

    /// The first instant of a date, in the window or not.
    pub(crate) fn start(&self, day: Day) -> Quarter {
        let inside = self.locals.first().is_some_and(|local| local.day < day)
            && self.locals.last().is_some_and(|local| local.day >= day);
        if inside {
            let before = self.locals.partition_point(|local| local.day < day);
            return self.first + i64::try_from(before).unwrap_or(0);
        }
        first_instant(self.zone, day)
    }

    /// The quarter-hours of dates.
    pub(crate) fn span(&self, days: &Range<Day>) -> Range<Quarter> {
        self.start(days.start)..self.start(days.end)
    }

    fn index(&self, quarter: Quarter) -> usize {
        usize::try_from(quarter - self.first).unwrap_or(0)
    }
}

// === impl Local ===

impl Local {
    /// Whether both lie in one window of so many quarter-hours of the clock: 1, 2 or 4. The doubled hour is two.
    pub(crate) fn is_with(self, other: Self, quarters: u8) -> bool {
        self.day == other.day && self.offset == other.offset && self.time / quarters == other.time / quarters
    }
}

/// The date that the clock shows.
pub(crate) fn day_at(zone: Tz, quarter: Quarter) -> Day {
    Day::try_from((quarter + offset(zone, quarter)).div_euclid(DAY_QUARTERS)).unwrap_or(0)
}

/// The first quarter-hour at which the clock shows a date or a later one.
pub(crate) fn first_instant(zone: Tz, day: Day) -> Quarter {
    let utc = i64::from(day) * DAY_QUARTERS;
    let around = utc - OFFSET_MAX..utc + OFFSET_MAX + DAY_QUARTERS;
    let end = around.end;
    around.into_iter().find(|&quarter| day_at(zone, quarter) >= day).unwrap_or(end)
}

fn offset(zone: Tz, quarter: Quarter) -> i64 {
    let time = DateTime::from_timestamp(quarter * QUARTER_S, 0).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&time).fix().local_minus_utc()).div_euclid(QUARTER_S)
}

/// Looked at each half day: no zone changes its offset there and back within one.
fn same_offset_until(zone: Tz, from: Quarter, offset_here: i64) -> Quarter {
    const STEP: i64 = DAY_QUARTERS / 2;
    /// Two years: as far as one run is ever needed at once.
    const FAR: i64 = 800 * DAY_QUARTERS;
    let (mut same, mut other) = (from, from + STEP);
    while offset(zone, other) == offset_here {
        if other - from > FAR {
            return other;
        }
        (same, other) = (other, other + STEP);
    }
    while other - same > 1 {
        let middle = i64::midpoint(same, other);
        if offset(zone, middle) == offset_here {
            same = middle;
        } else {
            other = middle;
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day;

    fn quarters(zone: Tz, date: &str) -> i64 {
        let day = day::parse(date).unwrap();
        first_instant(zone, day + 1) - first_instant(zone, day)
    }

    #[test]
    fn a_day_goes_from_its_first_instant_to_the_next_ones() {
        assert_eq!(quarters(Tz::Europe__Berlin, "2026-03-29"), 92);
        assert_eq!(quarters(Tz::Europe__Berlin, "2026-10-25"), 100);
        assert_eq!(quarters(Tz::Australia__Lord_Howe, "2026-04-05"), 98);
        // Midnight is left out, and a whole date.
        assert_eq!(quarters(Tz::Africa__Cairo, "2026-04-24"), 92);
        assert_eq!(quarters(Tz::Pacific__Apia, "2011-12-30"), 0);
        // Set back at midnight to the evening before.
        assert_eq!(quarters(Tz::Asia__Beirut, "2026-10-24"), 100);
    }

    #[test]
    fn the_window_shows_what_single_looks_show() {
        for zone in chrono_tz::TZ_VARIANTS {
            let first = first_instant(zone, day::parse("2026-03-01").unwrap());
            let clock = Clock::new(zone, &(first..first + 96 * 40));
            for quarter in (first..first + 96 * 40).step_by(7) {
                let local = clock.at(quarter);
                assert_eq!(i64::from(local.offset), offset(zone, quarter), "{zone}");
                assert!(clock.start(local.day) <= quarter && quarter < clock.start(local.day + 1), "{zone}");
            }
        }
    }
}
