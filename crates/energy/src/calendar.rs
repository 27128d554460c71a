//! Buckets by the calendar of a time zone: each a run of quarter-hours in UTC, or a part of one.
//!
//! An hour is the quarter-hours that begin in one local date, hour and offset: where clocks are set back it comes
//! twice, where they are set back by half an hour its second half has an hour of its own. A day goes from the first
//! instant of its date to that of the next date, whatever changes inside. All offsets in use are multiples of 15
//! minutes, in every zone and on every date since 2000.

use chrono::{
    DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveTime, Offset, TimeZone, Timelike, Utc,
};
pub use chrono_tz::Tz;
use strum::VariantArray;

use crate::QUARTER_HOUR_US;

/// How wide buckets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, VariantArray)]
pub enum Resolution {
    /// 1 minute.
    Minute,
    /// 5 minutes.
    FiveMinutes,
    /// 15 minutes.
    QuarterHour,
    /// A local half-hour.
    HalfHour,
    /// A local hour.
    Hour,
    /// A local day.
    Day,
    /// An ISO week, from Monday on.
    Week,
    /// A month, or a billing period.
    Month,
    /// A year.
    Year,
}

/// One bucket: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first instant, in µs.
    pub start_us: i64,
    /// The first instant after it, in µs.
    pub end_us: i64,
}

/// Where and how time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Whose clocks.
    pub zone: Tz,
    /// On which day of the month a month begins, 1 to 28.
    pub billing_day: u32,
}

/// A range that can't be had.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CalendarError {
    /// Ends before it begins.
    #[error("the range ends before it begins: its end must be later than its start")]
    Empty,
    /// Out of the years that meters live in.
    #[error("the range must lie between the years 2000 and 2200")]
    FarAway,
    /// Bills are due on a day that each month has.
    #[error("a billing period begins on day 1 to 28 of the month, not on {0}")]
    BillingDay(u32),
    /// More buckets than are given out at once.
    #[error("more than {0} buckets: ask for a shorter range, or for wider ones")]
    TooMany(usize),
}

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
/// From 2000 up to 2200.
const YEARS_US: std::ops::Range<i64> = 946_684_800 * SECOND_US..7_258_118_400 * SECOND_US;

/// A local hour or half-hour: date and time of its start, and the offset, by which a doubled one differs.
type LocalHour = (chrono::NaiveDateTime, i32);

// === impl Resolution ===

impl Resolution {
    /// The word for it: `1m`, `5m`, `15m`, `30m`, `1h`, `1d`, `1w`, `1mo`, `1y`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::QuarterHour => "15m",
            Self::HalfHour => "30m",
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
            Self::Year => "1y",
        }
    }

    /// The resolution of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|resolution| resolution.word() == word)
    }

    /// Whether its buckets are parts of a quarter-hour, for which readings are needed.
    #[must_use]
    pub const fn is_fine(self) -> bool {
        matches!(self, Self::Minute | Self::FiveMinutes)
    }

    /// The width of the parts that its buckets are summed of, in µs.
    #[must_use]
    pub const fn part_us(self) -> i64 {
        match self {
            Self::Minute => MINUTE_US,
            Self::FiveMinutes => 5 * MINUTE_US,
            _ => QUARTER_HOUR_US,
        }
    }

    /// How many of a quarter-hour's four classes of known time are no gap for it: those up to the limit of the
    /// quarter-hour, of the hour, of the day, and all. Half-hours go by the quarter-hour, weeks by the day.
    #[must_use]
    pub const fn classes(self) -> usize {
        match self {
            Self::Minute | Self::FiveMinutes | Self::QuarterHour | Self::HalfHour => 1,
            Self::Hour => 2,
            Self::Day | Self::Week => 3,
            Self::Month | Self::Year => 4,
        }
    }
}

// === impl Period ===

impl Period {
    /// Its length.
    #[must_use]
    pub const fn us(&self) -> i64 {
        self.end_us - self.start_us
    }

    /// How much of it lies before an instant.
    #[must_use]
    pub fn elapsed_us(&self, end_us: i64) -> i64 {
        (self.end_us.min(end_us) - self.start_us).max(0)
    }
}

// === impl Calendar ===

impl Calendar {
    /// Months that begin on the first.
    #[must_use]
    pub const fn new(zone: Tz) -> Self {
        Self { zone, billing_day: 1 }
    }

    /// The periods that meet `[from, to)`, in order and without holes: the first may begin before, the last may end
    /// after.
    ///
    /// # Errors
    /// Where the range is empty, far away, or has more than `periods_max` of them.
    pub fn periods(
        &self,
        from_us: i64,
        to_us: i64,
        resolution: Resolution,
        periods_max: usize,
    ) -> Result<Vec<Period>, CalendarError> {
        if to_us <= from_us {
            return Err(CalendarError::Empty);
        }
        if !YEARS_US.contains(&from_us) || !YEARS_US.contains(&to_us) {
            return Err(CalendarError::FarAway);
        }
        if !(1..=28).contains(&self.billing_day) {
            return Err(CalendarError::BillingDay(self.billing_day));
        }
        let edges_us: &mut dyn Iterator<Item = i64> = match resolution {
            Resolution::Minute | Resolution::FiveMinutes | Resolution::QuarterHour => {
                &mut equal_edges_us(from_us, resolution.part_us())
            }
            Resolution::HalfHour => &mut self.hour_edges_us(from_us, 30),
            Resolution::Hour => &mut self.hour_edges_us(from_us, 60),
            Resolution::Day | Resolution::Week | Resolution::Month | Resolution::Year => {
                &mut self.date_edges_us(from_us, resolution)
            }
        };
        let mut periods = Vec::new();
        let Some(mut start_us) = edges_us.next() else { return Ok(periods) };
        while start_us < to_us {
            let Some(end_us) = edges_us.next() else { break };
            // A date that a zone leaves out has no time.
            if end_us > from_us && end_us > start_us {
                periods.push(Period { start_us, end_us });
            }
            if periods.len() > periods_max {
                return Err(CalendarError::TooMany(periods_max));
            }
            start_us = end_us;
        }
        Ok(periods)
    }

    /// An instant with the offset of the zone: the label of a bucket that begins there.
    #[must_use]
    pub fn label(&self, us: i64) -> DateTime<FixedOffset> {
        let time = DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default();
        time.with_timezone(&self.zone.offset_from_utc_datetime(&time.naive_utc()).fix())
    }

    fn hour_edges_us(&self, from_us: i64, minutes: u32) -> impl Iterator<Item = i64> + '_ {
        // One may have begun up to three quarters before the range.
        let quarters = equal_edges_us(from_us - 3 * QUARTER_HOUR_US, QUARTER_HOUR_US);
        let mut before: Option<LocalHour> = None;
        quarters.filter(move |us| {
            let local = self.label(*us);
            let time = local.naive_local();
            let into_s = time.num_seconds_from_midnight() % (60 * minutes);
            let start = time - chrono::TimeDelta::seconds(i64::from(into_s));
            let this = (start, local.offset().local_minus_utc());
            before.replace(this) != Some(this)
        })
    }

    fn date_edges_us(&self, from_us: i64, resolution: Resolution) -> impl Iterator<Item = i64> + '_ {
        let date = self.label(from_us).date_naive();
        // Where clocks are set back over midnight, a date has begun though the one before it is shown again.
        let tomorrow = date.succ_opt().filter(|next| self.first_instant_us(*next) <= from_us);
        let mut next = Some(self.begin(tomorrow.unwrap_or(date), resolution));
        std::iter::from_fn(move || {
            let date = next?;
            next = following(date, resolution);
            Some(self.first_instant_us(date))
        })
    }

    /// The first date of the period that has this date.
    fn begin(&self, date: NaiveDate, resolution: Resolution) -> NaiveDate {
        let back = |days: u32| date.checked_sub_days(Days::new(days.into())).unwrap_or(date);
        match resolution {
            Resolution::Week => back(date.weekday().num_days_from_monday()),
            Resolution::Month => {
                let month = if date.day() >= self.billing_day {
                    Some(date)
                } else {
                    date.checked_sub_months(Months::new(1))
                };
                month.and_then(|month| month.with_day(self.billing_day)).unwrap_or(date)
            }
            Resolution::Year => back(date.ordinal0()),
            _ => date,
        }
    }

    /// The first instant of a local date; of one that the zone leaves out that of the next.
    #[must_use]
    pub fn first_instant_us(&self, date: NaiveDate) -> i64 {
        let midnight = date.and_time(NaiveTime::MIN);
        if let Some(first) = self.zone.from_local_datetime(&midnight).earliest() {
            return first.timestamp_micros();
        }
        // Clocks are set forward over midnight: the first quarter-hour that has a later local time.
        let mut us = midnight.and_utc().timestamp_micros() - 16 * 4 * QUARTER_HOUR_US;
        while self.label(us).naive_local() < midnight {
            us += QUARTER_HOUR_US;
        }
        us
    }
}

/// The first date of the period after the one that begins on this date.
fn following(date: NaiveDate, resolution: Resolution) -> Option<NaiveDate> {
    match resolution {
        Resolution::Week => date.checked_add_days(Days::new(7)),
        Resolution::Month => date.checked_add_months(Months::new(1)),
        Resolution::Year => date.checked_add_months(Months::new(12)),
        _ => date.succ_opt(),
    }
}

fn equal_edges_us(from_us: i64, width_us: i64) -> impl Iterator<Item = i64> {
    let first_us = from_us.div_euclid(width_us) * width_us;
    (0..).map(move |number: i64| first_us + number * width_us)
}
