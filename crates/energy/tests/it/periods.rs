//! Rules E15 and E15b: buckets by the calendar.

use wattline_energy::calendar::{Calendar, CalendarError, Resolution, Tz};
use wattline_energy::total::Total;

fn labels(zone: Tz, billing_day: u32, from: &str, to: &str, resolution: &str) -> Vec<String> {
    let calendar = Calendar { zone, billing_day };
    let us = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
    let resolution = Resolution::from_word(resolution).unwrap();
    let periods = calendar.periods(us(from), us(to), resolution, 1_000).unwrap();
    let minutes = |us: i64| us / 60_000_000;
    periods
        .iter()
        .map(|period| format!("{} {}", calendar.label(period.start_us).to_rfc3339(), minutes(period.us())))
        .collect()
}

#[test]
fn e15_the_doubled_hour_is_two_and_a_half_hour_of_change_makes_short_ones() {
    let hours = labels(Tz::Europe__Berlin, 1, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "1h");
    assert_eq!(hours, ["2026-10-25T02:00:00+02:00 60", "2026-10-25T02:00:00+01:00 60"]);
    let hours = labels(Tz::Australia__Lord_Howe, 1, "2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z", "1h");
    let expected =
        ["2026-04-05T01:00:00+11:00 60", "2026-04-05T01:30:00+10:30 30", "2026-04-05T02:00:00+10:30 60"];
    assert_eq!(hours, expected);
    let halves = labels(Tz::Asia__Kathmandu, 1, "2026-04-04T14:00:00Z", "2026-04-04T14:50:00Z", "30m");
    assert_eq!(
        halves,
        ["2026-04-04T19:30:00+05:45 30", "2026-04-04T20:00:00+05:45 30", "2026-04-04T20:30:00+05:45 30"]
    );
}

#[test]
fn e15_a_day_is_as_long_as_its_date() {
    let days = labels(Tz::Africa__Cairo, 1, "2026-04-23T00:00:00+02:00", "2026-04-25T00:00:00+03:00", "1d");
    assert_eq!(days, ["2026-04-23T00:00:00+02:00 1440", "2026-04-24T01:00:00+03:00 1380"], "no midnight");
    let days = labels(Tz::Pacific__Apia, 1, "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z", "1d");
    assert_eq!(days, ["2011-12-29T00:00:00-10:00 1440", "2011-12-31T00:00:00+14:00 1440"], "no 30th");
}

#[test]
fn e15b_weeks_begin_on_monday_and_years_on_new_years_day() {
    let weeks = labels(Tz::Europe__Athens, 1, "2026-03-25T00:00:00Z", "2026-03-26T00:00:00Z", "1w");
    assert_eq!(weeks, ["2026-03-23T00:00:00+02:00 10020"]);
    let years = labels(Tz::UTC, 1, "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z", "1y");
    assert_eq!(years, ["2026-01-01T00:00:00+00:00 525600", "2027-01-01T00:00:00+00:00 525600"]);
}

#[test]
fn e15b_a_billing_period_goes_from_its_day_to_that_of_the_next_month() {
    let periods = labels(Tz::Europe__Athens, 15, "2026-01-14T22:00:00Z", "2026-03-14T22:00:00Z", "1mo");
    assert_eq!(periods, ["2026-01-15T00:00:00+02:00 44640", "2026-02-15T00:00:00+02:00 40320"]);
    let before = labels(Tz::UTC, 28, "2026-01-27T00:00:00Z", "2026-01-27T00:00:01Z", "1mo");
    assert_eq!(before, ["2025-12-28T00:00:00+00:00 44640"]);
    let calendar = Calendar { zone: Tz::UTC, billing_day: 29 };
    let error = calendar.periods(1_781_049_600_000_000, 1_781_049_700_000_000, Resolution::Month, 10);
    assert_eq!(error, Err(CalendarError::BillingDay(29)));
}

#[test]
fn ranges_are_bounded() {
    let calendar = Calendar::new(Tz::UTC);
    let periods = |from_us, to_us| calendar.periods(from_us, to_us, Resolution::Minute, 10);
    let day_us = 1_781_049_600_000_000;
    assert_eq!(periods(day_us, day_us), Err(CalendarError::Empty));
    assert_eq!(periods(0, day_us), Err(CalendarError::FarAway));
    assert_eq!(periods(day_us, day_us + 11 * 60_000_000), Err(CalendarError::TooMany(10)));
    assert_eq!(Total::default().mwh, None);
}
