//! What registers tell of power.

use super::*;

const SECOND_US: i64 = 1_000_000;
const HOUR_S: i64 = 3_600;

/// Of a meter that sends its import register at these seconds, in Wh; asked for second `now_s`. A resolution of 0 is
/// not known yet.
fn import(now_s: i64, resolution_wh: i64, readings: &[(i64, i64)]) -> Option<i64> {
    let row =
        |&(s, wh): &(i64, i64)| Row { ts_us: s * SECOND_US, import_mwh: Some(wh * 1000), ..Row::default() };
    ask(now_s, resolution_wh, &readings.iter().map(row).collect::<Vec<_>>())
}

fn ask(now_s: i64, resolution_wh: i64, rows: &[Row]) -> Option<i64> {
    let asked = Asked {
        now_us: now_s * SECOND_US,
        age_us_max: 2_700 * SECOND_US,
        resolution_mwh: (resolution_wh > 0).then_some(resolution_wh * 1000),
    };
    derived_power_mw(rows, &asked, &Rules::default()).map(|mw| mw / 1000)
}

#[test]
fn the_newest_interval_is_the_power_while_it_is_young() {
    let readings = [(0, 1000), (900, 1100), (1800, 1225)];
    assert_eq!(import(1900, 0, &readings), Some(500));
    assert_eq!(import(1900, 1, &readings), Some(500));
    assert_eq!(import(4500, 1, &readings), Some(500));
    assert_eq!(import(4501, 1, &readings), None, "older than three usual distances");
    assert_eq!(import(1900, 0, &readings[..1]), None, "one reading is no interval");
    assert_eq!(import(1700, 1, &readings), Some(500), "its clock runs ahead");
}

#[test]
fn a_register_that_stands_still_lets_less_than_a_step_through() {
    let readings = [(0, 1000), (900, 1225), (1800, 1225)];
    assert_eq!(import(1800, 0, &readings), Some(0), "of an unknown step nothing is known");
    assert_eq!(import(1800, 10, &readings), Some(40), "10 Wh in 900 s at most");
    assert_eq!(import(1800, 0, &[(0, 7), (900, 7)]), Some(0));
}

#[test]
fn a_coarse_step_came_since_the_register_stood_still() {
    // 1 kWh every five hours is 200 W, whenever it is seen: no hour of 1 kW and four of none.
    let hours = |hours: i64, wh: i64| (hours * HOUR_S, wh);
    let readings = [hours(0, 4000), hours(1, 5000), hours(2, 5000), hours(5, 5000), hours(6, 6000)];
    assert_eq!(import(6 * HOUR_S, 1000, &readings), Some(200));
    let still = [&readings[..], &[hours(8, 6000)]].concat();
    assert_eq!(import(8 * HOUR_S, 1000, &still), Some(200), "a step in five hours is no news yet");
    let still = [&still[..], &[hours(12, 6000)]].concat();
    assert_eq!(import(12 * HOUR_S, 1000, &still), Some(166), "a step in six hours at most");
    // Of a resolution that is not known yet 1 kWh in ten seconds can't have flowed in them.
    let quick = [hours(1, 5000), (HOUR_S + 10, 5000), (6 * HOUR_S - 10, 5000), hours(6, 6000)];
    assert_eq!(import(6 * HOUR_S, 0, &quick), None, "since when it stood still is not known");
    let quick = [&[hours(0, 4000)][..], &quick].concat();
    assert_eq!(import(6 * HOUR_S, 0, &quick), Some(200));
}

#[test]
fn of_the_first_step_of_a_coarse_register_nobody_knows_when_it_began() {
    // 200 W that are watched for ten minutes would be 6 kW.
    assert_eq!(import(600, 1000, &[(0, 4000), (590, 4000), (600, 5000)]), None);
    let a_day = 26 * HOUR_S;
    assert_eq!(import(a_day + 600, 1000, &[(0, 4000), (a_day, 4000), (a_day + 600, 5000)]), Some(38));
    assert_eq!(import(600, 1000, &[(0, 4000), (600, 4000)]), None, "nor what flows before it");
    assert_eq!(import(600, 1000, &[(0, 0), (600, 0)]), Some(0), "it has never counted");
    assert_eq!(import(a_day, 1000, &[(0, 3000), (a_day, 3000)]), Some(0), "nobody feeds in here");
}

#[test]
fn the_last_digit_is_no_power_and_none_by_turns() {
    // 180 W each 20 s on a register of 1 Wh: by the newest interval alone 360 W, 0, 360 W.
    assert_eq!(import(40, 1, &[(10, 7), (20, 8), (30, 8), (40, 9)]), Some(180));
    assert_eq!(import(50, 1, &[(10, 7), (20, 8), (30, 8), (40, 9), (50, 9)]), Some(180));
    // The same on one of 10 Wh, each 10 s: by the newest interval 3,600 W once and 0 nineteen times.
    let plug: Vec<(i64, i64)> = (0..60).map(|tick| (tick * 10, tick / 20 * 10)).collect();
    for end in 41..60 {
        let now_s = plug[end - 1].0;
        assert_eq!(import(now_s, 10, &plug[..end]), Some(180), "{now_s}");
    }
}

#[test]
fn a_dip_is_no_power_and_an_unknown_step_none() {
    assert_eq!(import(900, 0, &[(0, 2000), (900, 1999)]), Some(0));
    assert_eq!(import(900, 0, &[(0, 2000), (900, 5)]), None);
    // The interval after it is known again, by itself.
    assert_eq!(import(1800, 0, &[(0, 2000), (900, 5), (1800, 130)]), Some(500));
    assert_eq!(import(1800, 1000, &[(0, 9000), (900, 5), (1800, 5)]), None);
}

#[test]
fn export_counts_against_import_and_power_that_is_sent_needs_no_other() {
    let row = |s: i64, import_wh: i64, export_wh: i64, power_mw| Row {
        ts_us: s * SECOND_US,
        import_mwh: Some(import_wh * 1000),
        export_mwh: Some(export_wh * 1000),
        power_mw,
    };
    let rows = [row(0, 100, 100, None), row(900, 100, 350, None)];
    assert_eq!(ask(900, 0, &rows), Some(-1000));
    let with_power = [rows[0], row(900, 100, 350, Some(5))];
    assert_eq!(ask(900, 0, &with_power), None);
    let implausible = [rows[0], row(900, 100, 350, Some(70_000_001))];
    assert_eq!(ask(900, 0, &implausible), Some(-1000), "power that can't flow tells nothing");
    assert_eq!(ask(900, 0, &[]), None);
}
