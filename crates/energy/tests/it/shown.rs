//! Rules E16b, E23 and E24: what is shown of now.

use wattline_energy::meter::show::{Shown, usual_distance_us};

use crate::day::{Day, WH, at};

const SECOND_US: i64 = 1_000_000;

fn shown(day: &Day, clock: &str) -> Shown {
    day.meter().shown(at(clock))
}

#[test]
fn e16b_a_meter_ends_at_its_newest_row_or_now_and_a_silent_one_at_now() {
    let day = Day::default().import(&[("10:00", 0), ("10:05", 1), ("10:10", 2), ("10:15", 3), ("10:20", 4)]);
    assert_eq!(shown(&day, "10:23").end_us, at("10:20"));
    assert_eq!(shown(&day, "10:18").end_us, at("10:18"));
    assert_eq!((shown(&day, "10:35").is_silent, shown(&day, "10:35").end_us), (false, at("10:20")));
    assert_eq!((shown(&day, "10:35:01").is_silent, shown(&day, "10:35:01").end_us), (true, at("10:35:01")));
}

#[test]
fn e23_derived_power_is_the_newest_span_of_each_register() {
    let day = Day::default().import(&[("10:00", 0), ("10:05", 100)]).export(&[("10:00", 0), ("10:05", 25)]);
    assert_eq!(shown(&day, "10:07").derived_mw, Some(900_000));
    // A dip is no flow backwards; a jump tells nothing.
    assert_eq!(
        shown(&day.clone().import(&[("10:10", 95)]).export(&[("10:10", 25)]), "10:12").derived_mw,
        Some(0)
    );
    assert_eq!(shown(&day.clone().import(&[("10:10", 90_000)]), "10:12").derived_mw, None);
    // With power of its own nothing is derived, and with that of another meter it is.
    assert_eq!(shown(&day.clone().power(&[("10:03", 500)]), "10:07").derived_mw, None);
    assert_eq!(shown(&day.clone().power(&[("10:03", 99_000)]), "10:07").derived_mw, Some(900_000));
    // An old register tells nothing of now: 15 min are usual where little is known.
    assert_eq!(shown(&day, "10:50").derived_mw, Some(900_000));
    assert_eq!(shown(&day, "10:50:01").derived_mw, None);
}

#[test]
fn e23_a_coarse_register_that_stands_still_fades() {
    let day = Day::default().with(|settings| settings.resolution_mwh = 1_000 * WH);
    let rows = [("10:00", 5_000), ("11:00", 6_000), ("11:10", 6_000), ("11:20", 6_000), ("11:30", 6_000)];
    let day = day.import(&rows);
    assert_eq!(shown(&day, "11:31").derived_mw, Some(1_000_000), "as long as the step took");
    let day = day.import(&[("12:50", 6_000), ("13:00", 6_000)]);
    assert_eq!(shown(&day, "13:00").derived_mw, Some(500_000), "1 kWh in two hours at most");
    let fine = Day::default().import(&[("10:00", 0), ("10:05", 50), ("10:10", 50)]);
    assert_eq!(shown(&fine, "10:11").derived_mw, Some(0));
}

#[test]
fn e24_the_usual_distance_is_the_median_of_the_last_32() {
    let back = |distances: &[i64]| {
        let mut us = 0;
        let rows = distances.iter().map(move |s| {
            us -= s * SECOND_US;
            us
        });
        usual_distance_us([0].into_iter().chain(rows)) / SECOND_US
    };
    assert_eq!(back(&[60, 60, 60]), 900, "three tell nothing");
    assert_eq!(back(&[60, 18_000, 60, 60]), 60, "an outage moves nothing");
    assert_eq!(back(&[10, 20, 30, 40]), 30, "of two the upper one");
    assert_eq!(
        back(&[1, 1, 1, 297, 1, 1, 1, 297, 1, 1, 1, 297, 1, 1, 1, 297]),
        300,
        "telegrams in four parts"
    );
    let turned: Vec<i64> = [[60; 32], [10; 32]].concat();
    assert_eq!(back(&turned), 60, "what is older than 32 distances is past");
}

#[test]
fn e24_nobody_is_silent_for_less_than_two_minutes() {
    let clocks: Vec<String> = (0..6).map(|second| format!("10:00:{}", second * 10)).collect();
    let rows: Vec<(&str, i64)> = clocks.iter().map(String::as_str).zip(0..).collect();
    let day = Day::default().import(&rows);
    assert_eq!(shown(&day, "10:02:50").expected_us, 10 * SECOND_US);
    assert!(!shown(&day, "10:02:50").is_silent);
    assert!(shown(&day, "10:02:51").is_silent);
    let set = day.with(|settings| settings.expected_us = Some(3_600 * SECOND_US));
    assert!(!shown(&set, "13:00").is_silent);
}
