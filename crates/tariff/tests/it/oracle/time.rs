//! Dates and clocks, looked up one by one.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

pub(super) struct Time {
    zone: Tz,
    starts: RefCell<HashMap<i64, i64>>,
    locals: RefCell<HashMap<i64, (NaiveDateTime, i64)>>,
}

pub(super) fn day_of(text: &str) -> i64 {
    i64::from(text.parse::<NaiveDate>().unwrap().to_epoch_days())
}

pub(super) fn date(day: i64) -> NaiveDate {
    NaiveDate::from_epoch_days(i32::try_from(day).unwrap()).unwrap()
}

/// The billing period of a date, by trying one after the other.
pub(super) fn billing(from: i64, months: i64, day: i64) -> (i64, i64) {
    let start = |period: i64| {
        let month = i64::from(date(from).year()) * 12 + i64::from(date(from).month0()) + period * months;
        let first = |month: i64| {
            let (year, month0) = (month.div_euclid(12), month.rem_euclid(12));
            NaiveDate::from_ymd_opt(i32::try_from(year).unwrap(), u32::try_from(month0).unwrap() + 1, 1)
                .unwrap()
        };
        let length = (first(month + 1) - first(month)).num_days();
        i64::from(first(month).to_epoch_days()) + i64::from(date(from).day()).min(length) - 1
    };
    (-200..200)
        .map(|period| (start(period), start(period + 1)))
        .find(|(from, to)| (*from..*to).contains(&day))
        .unwrap()
}

impl Time {
    pub(super) fn new(zone: &str) -> Self {
        Self { zone: zone.parse().unwrap(), starts: RefCell::default(), locals: RefCell::default() }
    }

    /// What the clock shows, and how far it is ahead, in s.
    pub(super) fn local(&self, at: i64) -> (NaiveDateTime, i64) {
        *self.locals.borrow_mut().entry(at).or_insert_with(|| {
            let time =
                self.zone.from_utc_datetime(&DateTime::from_timestamp(at * 900, 0).unwrap().naive_utc());
            (time.naive_local(), i64::from(time.offset().fix().local_minus_utc()))
        })
    }

    pub(super) fn day(&self, at: i64) -> i64 {
        i64::from(self.local(at).0.date().to_epoch_days())
    }

    /// Quarter-hours since midnight, as the clock shows it.
    pub(super) fn clock(&self, at: i64) -> i64 {
        i64::from(self.local(at).0.num_seconds_from_midnight()) / 900
    }

    /// The first quarter-hour of a date.
    pub(super) fn start(&self, day: i64) -> i64 {
        if let Some(start) = self.starts.borrow().get(&day) {
            return *start;
        }
        let start = (day * 96 - 80..).find(|at| self.day(*at) >= day).unwrap();
        self.starts.borrow_mut().insert(day, start);
        start
    }

    pub(super) fn month(&self, day: i64) -> (i64, i64) {
        let is_same = |other: &i64| {
            (date(*other).year(), date(*other).month()) == (date(day).year(), date(day).month())
        };
        let first = (day - 31..=day).find(is_same).unwrap();
        (first, (day..).find(|other| !is_same(other)).unwrap())
    }

    pub(super) fn year(day: i64) -> (i64, i64) {
        let first = |year| i64::from(NaiveDate::from_ymd_opt(year, 1, 1).unwrap().to_epoch_days());
        (first(date(day).year()), first(date(day).year() + 1))
    }
}
