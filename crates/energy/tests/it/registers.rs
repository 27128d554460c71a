//! Rules E3 to E9, E11 and E22: what registers say.

use crate::day::{Day, WH};

#[test]
fn e2a_energy_is_a_whole_number_of_mwh() {
    let day = Day::default().import(&[("10:00", 0), ("10:03", 1)]);
    assert_eq!(
        day.imports(&["10:00", "10:01", "10:02", "10:03"]),
        ["0.333 Wh 60 s", "0.334 Wh 60 s", "0.333 Wh 60 s"]
    );
}

#[test]
fn e3_a_run_is_of_what_counts_and_not_cut_by_a_zero() {
    let day = Day::default().with(|settings| settings.resolution_mwh = 1_000 * WH);
    let day =
        day.import(&[("10:00", 5_000), ("10:10", 5_000), ("10:15", 0), ("10:20", 5_000), ("10:30", 6_000)]);
    assert_eq!(
        day.imports(&["10:00", "10:15", "10:30"]),
        ["500 Wh 900 s spread", "500 Wh 900 s spread glitch"]
    );
}

#[test]
fn e3a_nothing_is_known_of_a_silence_and_a_run_begins_after_it() {
    let day = Day::default().import(&[("10:00", 5_000), ("36d10:00", 9_000), ("36d10:15", 9_010)]);
    assert_eq!(day.imports(&["10:00", "36d10:00", "36d10:15"]), ["? Wh 0 s", "10 Wh 900 s"]);
    assert_eq!(day.decisions(), ["E3a silence"]);
    // 35 days to the second are none.
    let day = Day::default().import(&[("10:00", 5_000), ("35d10:00", 9_000)]);
    assert_eq!(day.imports(&["10:00", "35d10:00"]), ["4000 Wh 0 s gap"]);
}

#[test]
fn e3a_standstill_counts_for_26_hours() {
    let still: Vec<(String, i64)> =
        (0..120).map(|hour| (format!("{}d{}:00", hour / 24, hour % 24), 5_000)).collect();
    let mut rows: Vec<(&str, i64)> = still.iter().map(|(clock, wh)| (clock.as_str(), *wh)).collect();
    // Full power of 26 h and the hour since, and 1 kWh.
    rows.push(("5d0:00", 5_000 + 27 * 60_000 + 1_000));
    assert_eq!(Day::default().import(&rows).decisions()[..1], ["E12 gap"]);
    assert!(Day::default().import(&rows).decisions().contains(&"E11 spread".to_owned()));
    rows.pop();
    rows.push(("5d0:00", 5_000 + 27 * 60_000 + 1_001));
    assert!(Day::default().import(&rows).decisions().contains(&"E8 jump".to_owned()));
}

#[test]
fn e4_the_first_rule_that_fits_decides() {
    // A new epoch goes before a jump, the operator's word before both.
    let day = Day::default().import(&[("10:00", 40), ("10:10", 500)]).epoch("10:00", "09:00");
    let day = day.epoch("10:10", "10:05");
    assert_eq!(day.decisions(), ["E9.2 new_epoch"]);
    assert_eq!(day.swap("10:05", 45, 490).decisions(), ["E9.1 swap"]);
}

#[test]
fn e5_the_allowance_grows_with_the_resolution() {
    let day = Day::default().import(&[("10:00", 0), ("10:01", 3_001)]);
    assert_eq!(day.decisions(), ["E8 jump"], "60 kW for a minute and 1 kWh are 2 kWh");
    assert_eq!(day.with(|settings| settings.resolution_mwh = 1_001 * WH).decisions(), ["E11 spread"]);
}

#[test]
fn e6_a_fall_to_zero_that_comes_back_is_a_glitch_however_late() {
    let day = Day::default().import(&[("10:00", 5_000), ("10:10", 0), ("30d10:00", 0), ("30d10:10", 5_010)]);
    assert_eq!(day.decisions(), ["E6 glitch", "E12 gap"]);
    let day =
        Day::default().import(&[("10:00", 5_000), ("10:10", 70), ("1d9:50", 70), ("1d10:00:01", 5_010)]);
    assert!(!day.decisions().contains(&"E6 glitch".to_owned()), "another value has a day");
}

#[test]
fn e6_an_excursion_has_eight_runs_at_most_and_is_over_within_an_hour() {
    let around = |inside: i64, end: &str| {
        let clocks: Vec<String> = (0..inside).map(|minute| format!("10:{:02}", minute + 1)).collect();
        let mut rows: Vec<(&str, i64)> = vec![("10:00", 465_000)];
        rows.extend(clocks.iter().map(String::as_str).zip(81_000..));
        rows.push((end, 465_010));
        Day::default().import(&rows).decisions()
    };
    assert_eq!(around(8, "11:00")[0], "E6 glitch");
    assert_ne!(around(8, "11:00:01")[0], "E6 glitch");
    assert_ne!(around(9, "11:00")[0], "E6 glitch");
}

#[test]
fn e6_what_climbs_back_or_comes_back_elsewhere_is_no_glitch() {
    // A tenth of the depth: 40 Wh deep, 4 Wh beyond.
    let back = |wh: i64| Day::default().import(&[("10:00", 40), ("10:05", 0), ("10:10", wh)]).decisions();
    assert_eq!(back(44), ["E6 glitch"]);
    assert_eq!(back(45), ["E9.4 reset"]);
}

#[test]
fn e6_dips_go_first_then_spikes() {
    let day =
        Day::default().import(&[("10:00", 465), ("10:01", 0), ("10:02", 465), ("10:03", 0), ("10:04", 465)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["0 Wh 240 s glitch"]);
    let day = Day::default().import(&[("10:00", 465), ("10:01", 4_294_967), ("10:02", 465), ("10:03", 470)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["5 Wh 180 s glitch"]);
}

#[test]
fn e7_a_dip_is_small_in_wh_and_in_per_cent() {
    let fall = |a: i64, b: i64| Day::default().import(&[("10:00", a), ("10:10", b)]).decisions();
    assert_eq!(fall(2_000, 1_900), ["E7 dip"]);
    assert_eq!(fall(2_000, 1_899), ["E9.5 unexplained_fall"]);
    assert_eq!(fall(100, 90), ["E7 dip"]);
    assert_eq!(fall(100, 89), ["E9.5 unexplained_fall"]);
    let day = Day::default().import(&[("10:00", 2_000), ("10:10", 1_900)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["-100 Wh 600 s dip"]);
}

#[test]
fn e8_a_jump_is_unknown() {
    let day = Day::default().import(&[("10:00", 0), ("10:06", 7_001), ("10:10", 7_002)]);
    assert_eq!(day.imports(&["10:00", "10:06", "10:10"]), ["? Wh 0 s implausible", "1 Wh 240 s"]);
}

#[test]
fn e9_1_a_swap_as_entered_has_two_parts() {
    let day = Day::default().import(&[("10:00", 9_000), ("10:15", 25)]).swap("10:05", 9_010, 15);
    assert_eq!(day.imports(&["10:00", "10:05", "10:15"]), ["10 Wh 300 s swap", "10 Wh 600 s swap"]);
    // Displays show whole kWh: below zero counts as nothing.
    let day = Day::default().import(&[("10:00", 9_000), ("10:15", 25)]).swap("10:05", 8_500, 15);
    assert_eq!(day.imports(&["10:00", "10:05", "10:15"]), ["0 Wh 300 s swap", "10 Wh 600 s swap"]);
    // At the instant of the reading.
    let day = Day::default().import(&[("10:00", 9_000), ("10:15", 25)]).swap("10:15", 9_010, 15);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["20 Wh 900 s swap"]);
}

#[test]
fn e9_1_an_event_that_cant_be_is_as_if_absent_and_the_earliest_that_fits_counts() {
    let rows = [("10:00", 9_000), ("10:15", 25)];
    let day = Day::default().import(&rows).swap("10:05", 7_999, 15);
    assert_eq!(day.decisions(), ["E9.1 swap_refused", "E9.4 reset"]);
    let day = Day::default()
        .import(&rows)
        .swap("10:10", 9_001, 20)
        .swap("10:02", 50_000, 0)
        .swap("10:05", 9_010, 15);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["20 Wh 900 s swap"]);
}

#[test]
fn e9_2_a_new_epoch_is_a_reset_that_a_rise_may_hide() {
    let day = Day::default().import(&[("10:00", 40), ("10:10", 50)]).epoch("10:00", "09:00");
    let jitter = day.clone().epoch("10:10", "09:02");
    assert_eq!(jitter.imports(&["10:00", "10:10"]), ["10 Wh 600 s"]);
    let day = day.epoch("10:10", "10:05");
    assert_eq!(day.imports(&["10:00", "10:05", "10:10"]), ["? Wh 0 s reset", "50 Wh 300 s reset"]);
    // An epoch at which the counter can't have begun is as if none were known.
    let set = Day::default().import(&[("10:00", 4_000_000), ("10:10", 4_000_100)]).epoch("10:00", "09:00");
    assert_eq!(set.epoch("10:10", "10:09").decisions(), [] as [&str; 0]);
}

#[test]
fn e9_3_a_register_runs_over_at_the_smallest_modulus_that_fits() {
    let day = Day::default().import(&[("10:00", 99_999_990), ("10:10", 5)]);
    assert_eq!(day.imports(&["10:00", "10:10"]), ["15 Wh 600 s rollover"]);
    let day = Day::default().import(&[("10:00", 999_999_990), ("10:10", 5)]);
    assert_eq!(day.imports(&["10:00", "10:10"]), ["15 Wh 600 s rollover"]);
    let day = Day::default().import(&[("10:00", 99_880_000), ("10:10", 5)]);
    assert_eq!(day.decisions(), ["E9.4 reset"], "more than a thousandth of the modulus");
}

#[test]
fn e9_4_a_reset_begins_below_half_and_is_no_older_than_the_last_reading() {
    let fall = |a: i64, b: i64| Day::default().import(&[("10:00", a), ("10:10", b)]);
    assert_eq!(fall(9_000, 4_499).imports(&["10:00", "10:10"]), ["4499 Wh 600 s reset"]);
    assert_eq!(fall(9_000, 4_500).decisions(), ["E9.5 unexplained_fall"]);
    // 60 kW for ten minutes are 10 kWh.
    assert_eq!(fall(90_000, 10_000).decisions(), ["E9.4 reset"]);
    assert_eq!(fall(90_000, 10_001).decisions(), ["E9.5 unexplained_fall"]);
    // A bridge that repeats an old register buys its latch, of what stood still.
    let latched = Day::default().import(&[("09:50", 90_000), ("10:00", 90_000), ("10:10", 20_000)]);
    assert_eq!(latched.decisions(), ["E9.5 unexplained_fall"]);
    assert_eq!(latched.with(|settings| settings.latch_us = 3_600_000_000).decisions(), ["E9.4 reset"]);
}

#[test]
fn e9_4_an_hour_of_full_power_is_the_most_that_a_new_counter_shows() {
    let fall = |b: i64| Day::default().import(&[("10:00", 900_000), ("1d10:00", b)]).decisions();
    assert_eq!(fall(60_000), ["E9.4 reset", "E12 gap"]);
    assert_eq!(fall(60_001), ["E9.5 unexplained_fall"]);
}

#[test]
fn e11_a_step_of_a_coarse_register_came_while_it_stood_still() {
    let day = Day::default().with(|settings| settings.resolution_mwh = 1_000 * WH);
    let day = day.import(&[
        ("10:00", 5_000),
        ("10:15", 5_000),
        ("10:30", 5_000),
        ("10:45", 5_000),
        ("11:00", 6_000),
    ]);
    let quarter = "250 Wh 900 s spread";
    assert_eq!(day.imports(&["10:00", "10:15", "10:30", "10:45", "11:00"]), [quarter; 4]);
}

#[test]
fn e11_what_cant_have_flowed_since_the_last_reading_came_before_it() {
    // An hourly register that a bridge repeats: 1.2 kWh in the last ten seconds are of the hour.
    let day =
        Day::default().import(&[("10:00", 5_000), ("10:30", 5_000), ("10:59:50", 5_000), ("11:00", 6_200)]);
    let decisions = day.decisions();
    assert!(decisions.contains(&"E11 spread".to_owned()), "{decisions:?}");
    assert_eq!(
        day.imports(&["10:00", "10:30", "11:00"]),
        ["600 Wh 0 s gap spread", "600 Wh 10 s gap spread"]
    );
}

#[test]
fn e22_a_net_register_rises_with_import_and_falls_with_export() {
    let day = Day::default()
        .import(&[("10:00", 500), ("10:10", 600), ("10:20", 40)])
        .with(|settings| settings.is_net = true);
    assert_eq!(day.imports(&["10:00", "10:10", "10:20"]), ["100 Wh 600 s", "0 Wh 600 s"]);
    assert_eq!(day.exports(&["10:00", "10:10", "10:20"]), ["0 Wh 600 s", "560 Wh 600 s"]);
    assert_eq!(day.decisions(), [] as [&str; 0]);
}
