//! Dates as days since 1970, and the periods that they lie in.

use std::ops::Range;

use chrono::{Datelike, NaiveDate};

/// Days since 1970-01-01.
pub(crate) type Day = i32;

/// Years that a date may lie in.
const YEARS: Range<i32> = 1970..2200;

/// The date of `2026-01-31`.
pub(crate) fn parse(text: &str) -> Option<Day> {
    let shape = text.len() == 10 && text.is_ascii();
    let date = shape.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())??;
    YEARS.contains(&date.year()).then(|| date.to_epoch_days())
}

/// As it is read.
pub(crate) fn text(day: Day) -> String {
    date(day).format("%Y-%m-%d").to_string()
}

/// `2026-01` of a day.
pub(crate) fn month_text(day: Day) -> String {
    date(day).format("%Y-%m").to_string()
}

/// From the first day of its month to that of the next.
pub(crate) fn month(day: Day) -> Range<Day> {
    let first = date(day).with_day(1).unwrap_or_default();
    first.to_epoch_days()..after(first, 1).to_epoch_days()
}

/// From the first day of its year to that of the next.
pub(crate) fn year(day: Day) -> Range<Day> {
    let year = date(day).year();
    let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().to_epoch_days();
    first(year)..first(year + 1)
}

/// The first day of the month so many months before that of `day`.
pub(crate) fn months_before(day: Day, months: u32) -> Day {
    let first = date(month(day).start);
    first.checked_sub_months(chrono::Months::new(months)).unwrap_or(first).to_epoch_days()
}

/// The period of `months` that `day` lies in, counted from `from` in both directions. A day that a month lacks is its
/// last, and is itself again after it.
pub(crate) fn billing(from: Day, months: u32, day: Day) -> Range<Day> {
    let origin = date(from);
    let index = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    let start = |period: i64| moved(origin, period * i64::from(months)).to_epoch_days();
    let mut period = (index(date(day)) - index(origin)).div_euclid(i64::from(months));
    if start(period) > day {
        period -= 1;
    }
    start(period)..start(period + 1)
}

/// 0 is Monday.
pub(crate) fn weekday(day: Day) -> u8 {
    // 1970-01-01 was a Thursday.
    u8::try_from((day + 3).rem_euclid(7)).unwrap_or_default()
}

/// Month and day of the month, as 100 × month + day.
pub(crate) fn month_day(day: Day) -> u16 {
    let date = date(day);
    u16::try_from(date.month() * 100 + date.day()).unwrap_or_default()
}

fn date(day: Day) -> NaiveDate {
    NaiveDate::from_epoch_days(day).unwrap_or_default()
}

fn moved(date: NaiveDate, months: i64) -> NaiveDate {
    let count = u32::try_from(months.unsigned_abs()).unwrap_or_default();
    if months < 0 {
        date.checked_sub_months(chrono::Months::new(count)).unwrap_or(date)
    } else {
        after(date, count)
    }
}

fn after(date: NaiveDate, months: u32) -> NaiveDate {
    date.checked_add_months(chrono::Months::new(months)).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(range: Range<Day>) -> (String, String) {
        (text(range.start), text(range.end))
    }

    #[test]
    fn the_31st_is_a_short_months_last_day_and_itself_again_after_it() {
        let from = parse("2026-01-31").unwrap();
        let period = |day| range(billing(from, 1, parse(day).unwrap()));
        assert_eq!(period("2026-02-27"), ("2026-01-31".into(), "2026-02-28".into()));
        assert_eq!(period("2026-02-28"), ("2026-02-28".into(), "2026-03-31".into()));
        assert_eq!(period("2026-04-29"), ("2026-03-31".into(), "2026-04-30".into()));
        assert_eq!(period("2025-12-31"), ("2025-12-31".into(), "2026-01-31".into()));
    }

    #[test]
    fn periods_have_no_hole_and_no_overlap() {
        let from = parse("2024-08-31").unwrap();
        for months in [1, 2, 3, 4, 6, 12] {
            for day in from - 900..from + 900 {
                let period = billing(from, months, day);
                assert!(period.contains(&day), "{months} {}", text(day));
                assert_eq!(billing(from, months, period.end).start, period.end);
            }
        }
    }

    #[test]
    fn only_dates_are_dates() {
        for text in
            ["2026-02-29", "2026-1-01", "26-01-01", "1969-12-31", "2200-01-01", "2026-01-01 ", "é26-01-01"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(
            (weekday(parse("2026-11-30").unwrap()), month_day(parse("2026-11-30").unwrap())),
            (0, 1130)
        );
    }
}
