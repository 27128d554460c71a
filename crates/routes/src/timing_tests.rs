//! A device in 1970, in local time, in milliseconds, an hour ahead: by policy, and counted.

use chrono_tz::Tz;
use wattline_formats::Family;
use wattline_reading::{Reason, TsSource};

use super::*;
use crate::{Route, RouteSettings, Routes};

const NOW: &str = "2026-11-20T10:00:30Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn choose(policy: TimePolicy, zone: Option<Tz>, text: &str, now: &str) -> (Clock, Option<String>) {
    let timing = Timing { policy, zone };
    let (clock, ts) = timing.choose(&DeviceTime::from_text(text), true, at(now), &Limits::default());
    (clock, ts.map(|ts| ts.to_string()))
}

#[test]
fn every_wrong_clock_is_one_case_of_its_policy() {
    use TimePolicy::{Device, DeviceIfPlausible};
    let berlin = Some(Tz::Europe__Berlin);
    for (text, zone, device, lenient) in [
        // Right, as text, in s, in ms, in µs and in ns.
        ("2026-11-20T10:00:00Z", None, Clock::Device, Clock::Device),
        ("2026-11-20T11:00:00+01:00", None, Clock::Device, Clock::Device),
        ("1795168800", None, Clock::Device, Clock::Device),
        ("1795168800000", None, Clock::Device, Clock::Device),
        ("1795168800000000", None, Clock::Device, Clock::Device),
        ("1795168800000000000", None, Clock::Device, Clock::Device),
        // Before the clock is set.
        ("", None, Clock::Absent, Clock::Absent),
        ("0", None, Clock::Unset, Clock::Unset),
        ("1970-01-01T00:03:12", None, Clock::Unset, Clock::Unset),
        ("1970-01-01T00:03:12Z", None, Clock::Unset, Clock::Unset),
        ("192000", None, Clock::Unset, Clock::Unset),
        // Local time, without and with the route's zone.
        ("2026-11-20T11:00:00", None, Clock::NoZone, Clock::NoZone),
        ("2026-11-20T11:00:00", berlin, Clock::Device, Clock::Device),
        // Local time that says it were UTC: an hour ahead in Berlin, five behind in New York.
        ("2026-11-20T11:00:00Z", None, Clock::RefusedAhead, Clock::Ahead),
        ("2026-11-20T05:00:00Z", None, Clock::DeviceBehind, Clock::DeviceBehind),
        // UTC that is taken for local time: an hour behind.
        ("2026-11-20T10:00:00", berlin, Clock::DeviceBehind, Clock::DeviceBehind),
        // A little ahead, and just too much.
        ("2026-11-20T10:05:30Z", None, Clock::Device, Clock::Device),
        ("2026-11-20T10:05:31Z", None, Clock::RefusedAhead, Clock::Ahead),
        ("9999999999", None, Clock::RefusedAhead, Clock::Ahead),
        ("2026-08-01T00:00:00Z", None, Clock::RefusedTooOld, Clock::TooOld),
        ("2010-01-01T00:00:00Z", None, Clock::RefusedTooOld, Clock::TooOld),
        ("yesterday", None, Clock::RefusedUnreadable, Clock::RefusedUnreadable),
    ] {
        assert_eq!(choose(Device, zone, text, NOW).0, device, "{text}");
        assert_eq!(choose(DeviceIfPlausible, zone, text, NOW).0, lenient, "{text}");
        assert_eq!(choose(TimePolicy::Arrival, zone, text, NOW), (Clock::Policy, None), "{text}");
    }
}

#[test]
fn the_hours_of_the_change_of_clocks() {
    let zone = Some(Tz::Europe__Berlin);
    let chosen = |text: &str, now: &str| choose(TimePolicy::Device, zone, text, now);
    let twice = "2026-10-25T02:30:00";
    let device = |ts: &str| (Clock::Device, Some(ts.to_owned()));
    assert_eq!(chosen(twice, "2026-10-25T00:31:00Z"), device("2026-10-25T00:30:00Z"));
    assert_eq!(chosen(twice, "2026-10-25T01:31:00Z"), device("2026-10-25T01:30:00Z"));
    let skipped = "2026-03-29T02:30:00";
    assert_eq!(chosen(skipped, "2026-03-29T01:31:00Z"), (Clock::Skipped, None));
}

#[test]
fn the_case_decides_the_readings_time_and_is_counted_on_its_route() {
    let route = |policy| -> Route {
        let settings = RouteSettings { time: policy, ..RouteSettings::new("a/+", Family::WATTLINE_JSON) };
        Routes::new(&[settings], &[]).unwrap().all()[0].clone()
    };
    let resolve = |route: &Route, text: &str| {
        let resolved = route.event_time(&DeviceTime::from_text(text), true, at(NOW), &Limits::default());
        resolved.map(|(ts, source)| (ts.to_string(), source)).map_err(|refusal| refusal.reason)
    };
    let strict = route(TimePolicy::Device);
    let arrival = Ok((NOW.to_owned(), TsSource::Arrival));
    let an_hour_ahead = "2026-11-20T11:00:00Z";
    assert_eq!(resolve(&strict, "0"), arrival);
    assert_eq!(resolve(&strict, "2026-11-20T11:00:00"), arrival);
    assert_eq!(
        resolve(&strict, "1795168800123"),
        Ok(("2026-11-20T10:00:00.123Z".to_owned(), TsSource::Device))
    );
    // The check of the limits refuses it, and says by how much.
    assert_eq!(resolve(&strict, an_hour_ahead), Ok((an_hour_ahead.to_owned(), TsSource::Device)));
    assert_eq!(resolve(&strict, "yesterday"), Err(Reason::TsUnreadable));
    let counts: Vec<_> = strict.clocks.counts().collect();
    let expected =
        [Clock::Device, Clock::Unset, Clock::NoZone, Clock::RefusedUnreadable, Clock::RefusedAhead];
    assert_eq!(counts, expected.map(|clock| (clock, 1)));

    let lenient = route(TimePolicy::DeviceIfPlausible);
    assert_eq!(resolve(&lenient, an_hour_ahead), arrival);
    assert_eq!(resolve(&lenient, "yesterday"), Err(Reason::TsUnreadable), "a wrong mapping must be seen");
    let counts: Vec<_> = lenient.clocks.counts().collect();
    assert_eq!(counts, [(Clock::Ahead, 1), (Clock::RefusedUnreadable, 1)]);
    assert_eq!(RouteSettings::new("a/+", Family::WATTLINE_JSON).time, TimePolicy::DeviceIfPlausible);
}

#[test]
fn of_several_instants_none_becomes_arrival() {
    let timing = Timing { policy: TimePolicy::DeviceIfPlausible, zone: None };
    let choose =
        |text: &str| timing.choose(&DeviceTime::from_text(text), false, at(NOW), &Limits::default()).0;
    assert_eq!(choose("2026-11-20T11:00:00Z"), Clock::RefusedAhead);
    assert_eq!(choose("2026-08-01T00:00:00Z"), Clock::RefusedTooOld);
    assert_eq!(choose("2026-11-20T10:00:00Z"), Clock::Device);
}

/// The judge's own clock: what a device says is right, and is judged by a host that believes another hour or year.
#[test]
fn a_wrong_clock_of_the_host_leaves_a_device_its_time_as_long_as_that_is_plausible() {
    use TimePolicy::{Arrival, Device, DeviceIfPlausible};
    let device = "2026-11-20T10:00:00Z";
    let kept = |clock| (clock, Some(device.to_owned()));
    for (host, strict, lenient) in [
        // A little off, ahead and behind.
        ("2026-11-20T10:04:00Z", kept(Clock::Device), kept(Clock::Device)),
        ("2026-11-20T09:55:00Z", kept(Clock::Device), kept(Clock::Device)),
        // Hours ahead: the device seems slow, and keeps its time.
        ("2026-11-20T12:00:00Z", kept(Clock::DeviceBehind), kept(Clock::DeviceBehind)),
        // Behind: it seems to come from the future.
        ("2026-11-20T09:54:59Z", kept(Clock::RefusedAhead), (Clock::Ahead, None)),
        ("2024-01-01T00:00:00Z", kept(Clock::RefusedAhead), (Clock::Ahead, None)),
        // Years ahead: it seems older than what is kept.
        ("2031-01-01T00:00:00Z", kept(Clock::RefusedTooOld), (Clock::TooOld, None)),
    ] {
        assert_eq!(choose(Device, None, device, host), strict, "{host}");
        assert_eq!(choose(DeviceIfPlausible, None, device, host), lenient, "{host}");
        assert_eq!(choose(Arrival, None, device, host), (Clock::Policy, None), "{host}");
    }
}
