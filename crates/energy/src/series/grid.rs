//! The points of a range: local hours or quarter-hours, each a run of quarter-hours in UTC. All zone offsets in
//! use are multiples of 15 minutes, so this needs nothing finer, in any zone and on any date.

use chrono::{DateTime, FixedOffset, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::QUARTER_HOUR_US;

/// Width of the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// 15 minutes.
    QuarterHour,
    /// A local hour. Where clocks are set back it comes twice, with two offsets.
    Hour,
}

/// When one point is: `start` up to, not including, `end`, labelled with the offset of its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its first instant.
    pub start: DateTime<FixedOffset>,
    /// The first instant after it.
    pub end: DateTime<FixedOffset>,
}

/// The points of a range in a time zone, in order and without holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneGrid {
    /// Width of the points.
    pub interval: Interval,
    /// At least one.
    pub slots: Vec<Slot>,
}

/// A range that can't be had.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GridError {
    /// Ends before it begins.
    #[error("`to` must be after `from`")]
    Empty,
    /// Out of the years that meters live in.
    #[error("`from` and `to` must lie between the years 2000 and 2200")]
    FarAway,
    /// More points than are given out at once.
    #[error("{points} points of {interval} are too many: at most {points_max} at a time; {cure}")]
    TooMany {
        /// Points in the range.
        points: i64,
        /// The limit.
        points_max: i64,
        /// The width asked for.
        interval: &'static str,
        /// What fits.
        cure: String,
    },
}

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const QUARTER_S: i64 = 15 * 60;

/// A quarter-hour and the local hour that it belongs to; the doubled hour differs in its offset.
type LocalHour = (DateTime<FixedOffset>, i32);

// === impl Slot ===

impl Slot {
    /// How much of it lies before `end`, in ms.
    #[must_use]
    pub fn elapsed_ms(&self, end: DateTime<Utc>) -> i64 {
        (self.end.to_utc().min(end) - self.start.to_utc()).num_milliseconds().max(0)
    }

    /// Whether it reaches beyond `end`.
    #[must_use]
    pub fn is_running(&self, end: DateTime<Utc>) -> bool {
        self.end > end
    }
}

// === impl Interval ===

impl Interval {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuarterHour => "QUARTER_HOUR",
            Self::Hour => "HOUR",
        }
    }

    /// Its nominal width in µs: where clocks change by half an hour, a local hour is shorter.
    #[must_use]
    pub const fn width_us(self) -> i64 {
        QUARTER_HOUR_US * self.quarters()
    }

    const fn quarters(self) -> i64 {
        match self {
            Self::QuarterHour => 1,
            Self::Hour => 4,
        }
    }
}

// === impl ZoneGrid ===

impl ZoneGrid {
    /// The points that meet [`from`, `to`): the first may begin before, the last may end after.
    ///
    /// # Errors
    /// Where the range is empty, far away, or has more than `points_max` points.
    pub fn new(
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        interval: Interval,
        zone: Tz,
        points_max: u16,
    ) -> Result<Self, GridError> {
        if to <= from {
            return Err(GridError::Empty);
        }
        let years = 946_684_800..7_258_118_400;
        if !years.contains(&from.timestamp()) || !years.contains(&to.timestamp()) {
            return Err(GridError::FarAway);
        }
        check_points(to - from, interval, points_max.into())?;
        let mut slots: Vec<Slot> = Vec::new();
        let mut hour: Option<LocalHour> = None;
        // A local hour may have begun up to three quarters before the range, and may end as much after it.
        let mut quarter = floor_to_quarter(from) - QUARTER * 3;
        while quarter < to + QUARTER * 3 {
            let end = local(quarter + QUARTER, zone);
            let this = local_hour(quarter, zone);
            let same = interval == Interval::Hour && hour == Some(this);
            match slots.last_mut() {
                Some(slot) if same => slot.end = end,
                _ => slots.push(Slot { start: local(quarter, zone), end }),
            }
            hour = Some(this);
            quarter += QUARTER;
        }
        slots.retain(|slot| slot.end > from && slot.start < to);
        Ok(Self { interval, slots })
    }

    /// From the first point's start to the last one's end.
    #[must_use]
    pub fn range(&self) -> Option<(DateTime<FixedOffset>, DateTime<FixedOffset>)> {
        Some((self.slots.first()?.start, self.slots.last()?.end))
    }
}

fn check_points(range: TimeDelta, interval: Interval, points_max: i64) -> Result<(), GridError> {
    let points = |interval: Interval| {
        let width_s = QUARTER_S * interval.quarters();
        (range.num_seconds() + width_s - 1) / width_s
    };
    if points(interval) <= points_max {
        return Ok(());
    }
    let days = points_max * interval.quarters() * QUARTER_S / 86_400;
    let cure = if interval == Interval::QuarterHour && points(Interval::Hour) <= points_max {
        format!("interval HOUR fits ({} points)", points(Interval::Hour))
    } else {
        format!("ask for at most {days} days at a time")
    };
    Err(GridError::TooMany { points: points(interval), points_max, interval: interval.name(), cure })
}

fn floor_to_quarter(time: DateTime<Utc>) -> DateTime<Utc> {
    time - TimeDelta::seconds(time.timestamp().rem_euclid(QUARTER_S))
        - TimeDelta::nanoseconds(i64::from(time.timestamp_subsec_nanos()))
}

fn local(time: DateTime<Utc>, zone: Tz) -> DateTime<FixedOffset> {
    let offset = zone.offset_from_utc_datetime(&time.naive_utc()).fix();
    time.with_timezone(&offset)
}

fn local_hour(quarter: DateTime<Utc>, zone: Tz) -> LocalHour {
    let local = local(quarter, zone);
    let start = local - TimeDelta::seconds(i64::from(local.num_seconds_from_midnight() % 3600));
    (start, local.offset().local_minus_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn grid(from: &str, to: &str, interval: Interval, zone: Tz) -> Vec<Slot> {
        ZoneGrid::new(time(from), time(to), interval, zone, 3000).unwrap().slots
    }

    fn starts(slots: &[Slot]) -> Vec<String> {
        slots.iter().map(|slot| slot.start.to_rfc3339()).collect()
    }

    #[test]
    fn the_doubled_hour_is_two_rows() {
        let slots = grid(
            "2026-10-25T00:00:00+02:00",
            "2026-10-26T00:00:00+01:00",
            Interval::Hour,
            Tz::Europe__Berlin,
        );
        assert_eq!(slots.len(), 25);
        assert_eq!(
            starts(&slots)[1..5],
            [
                "2026-10-25T01:00:00+02:00",
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:00:00+01:00",
                "2026-10-25T03:00:00+01:00"
            ]
        );
    }

    #[test]
    fn the_skipped_hour_is_no_row() {
        let slots = grid(
            "2026-03-29T00:00:00+01:00",
            "2026-03-30T00:00:00+02:00",
            Interval::Hour,
            Tz::Europe__Berlin,
        );
        assert_eq!(slots.len(), 23);
        assert_eq!(slots[1].end.to_rfc3339(), "2026-03-29T03:00:00+02:00");
    }

    #[test]
    fn hours_are_local_where_offsets_are_not_whole_hours() {
        let slots = grid("2026-06-01T00:00:00Z", "2026-06-01T02:00:00Z", Interval::Hour, Tz::Asia__Kathmandu);
        assert_eq!(
            starts(&slots),
            ["2026-06-01T05:00:00+05:45", "2026-06-01T06:00:00+05:45", "2026-06-01T07:00:00+05:45"]
        );
    }

    #[test]
    fn half_an_hour_of_summer_time_makes_short_hours() {
        // Lord Howe Island sets its clocks back from 02:00 +11:00 to 01:30 +10:30.
        let slots =
            grid("2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z", Interval::Hour, Tz::Australia__Lord_Howe);
        assert_eq!(
            starts(&slots),
            ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"]
        );
        assert_eq!((slots[1].end - slots[1].start).num_minutes(), 30);
    }

    #[test]
    fn points_that_are_cut_are_given_whole() {
        let slots = grid("2026-06-01T10:20:00Z", "2026-06-01T11:00:01Z", Interval::Hour, Tz::UTC);
        assert_eq!(starts(&slots), ["2026-06-01T10:00:00+00:00", "2026-06-01T11:00:00+00:00"]);
        let slots = grid("2026-06-01T10:20:00Z", "2026-06-01T10:30:00Z", Interval::QuarterHour, Tz::UTC);
        assert_eq!(starts(&slots), ["2026-06-01T10:15:00+00:00"]);
    }

    #[test]
    fn no_instant_is_missing_or_double_in_any_zone() {
        for zone in chrono_tz::TZ_VARIANTS {
            for day in ["2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01", "2026-07-01"] {
                let from = time(&format!("{day}T00:00:00Z")) - TimeDelta::hours(20);
                let slots = ZoneGrid::new(from, from + TimeDelta::hours(48), Interval::Hour, zone, 3000)
                    .unwrap()
                    .slots;
                assert!(slots.windows(2).all(|pair| pair[0].end == pair[1].start), "{zone} {day}");
                assert!(
                    slots.iter().all(|slot| slot.end - slot.start <= TimeDelta::hours(1)),
                    "{zone} {day}"
                );
                assert!(slots[0].start <= from && slots[0].end > from, "{zone} {day}");
            }
        }
    }

    #[test]
    fn too_many_points_name_what_fits() {
        let year = ZoneGrid::new(
            time("2026-01-01T00:00:00Z"),
            time("2026-04-01T00:00:00Z"),
            Interval::QuarterHour,
            Tz::UTC,
            3000,
        );
        let error = year.unwrap_err().to_string();
        assert!(error.contains("8640 points of QUARTER_HOUR"), "{error}");
        assert!(error.contains("interval HOUR fits (2160 points)"), "{error}");
        let decade = ZoneGrid::new(
            time("2020-01-01T00:00:00Z"),
            time("2030-01-01T00:00:00Z"),
            Interval::Hour,
            Tz::UTC,
            3000,
        );
        let error = decade.unwrap_err().to_string();
        assert!(error.contains("at most 125 days"), "{error}");
        let empty = ZoneGrid::new(
            time("2026-01-01T00:00:00Z"),
            time("2026-01-01T00:00:00Z"),
            Interval::Hour,
            Tz::UTC,
            3000,
        );
        assert_eq!(empty, Err(GridError::Empty));
    }
}
