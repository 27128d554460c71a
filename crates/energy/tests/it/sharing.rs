//! Rules E10 and E12 to E16a: how power and registers are shared out over buckets.

use wattline_energy::calendar::Resolution;
use wattline_energy::total::Total;
use wattline_energy::{Energy, Flag, Quality};

use crate::day::{Day, WH};

#[test]
fn e10_an_hourly_register_takes_the_shape_of_power() {
    let day = Day::default().import(&[("10:00", 5_000), ("11:00", 5_400)]);
    assert_eq!(day.imports(&["10:00", "10:30", "11:00"]), ["200 Wh 0 s gap", "200 Wh 0 s gap"]);
    let day = day.steady_power("10:00", "10:29:50", 10, 700).steady_power("10:30", "11:00", 10, 100);
    assert_eq!(day.imports(&["10:00", "10:30", "11:00"]), ["350 Wh 1800 s shaped", "50 Wh 1800 s shaped"]);
    assert_eq!(day.decisions(), ["E10 shaped"]);
}

#[test]
fn e10_power_of_another_measuring_point_shapes_nothing() {
    let shaped = |wh: i64| {
        let day = Day::default().import(&[("10:00", 5_000), ("11:00", 5_000 + wh)]);
        day.steady_power("10:00", "11:00", 10, 400).decisions()
    };
    assert_eq!([200, 800].map(|wh| shaped(wh).concat()), ["E10 shaped", "E10 shaped"]);
    assert_eq!([199, 801].map(|wh| shaped(wh).concat()), ["E12 gap", "E12 gap"]);
}

#[test]
fn e10_power_must_cover_nine_tenths() {
    let shaped = |from: &str| {
        let day = Day::default().import(&[("10:00", 5_000), ("11:00", 5_400)]);
        day.steady_power(from, "11:00", 10, 400).decisions().concat()
    };
    assert_eq!(shaped("10:06"), "E10 shaped");
    assert_eq!(shaped("10:06:10"), "E12 gap");
}

#[test]
fn e12_a_gap_depends_on_the_width() {
    let day = Day::default().import(&[("10:00", 5_000), ("10:18:45", 5_010), ("10:37:31", 5_020)]);
    assert_eq!(day.imports(&["10:00", "10:18:45", "10:37:31"]), ["10 Wh 1125 s", "10 Wh 0 s gap"]);
    let energy = Energy {
        mwh: Some(4),
        coverage_ms: [1, 20, 300, 4_000],
        quality: [Flag::Gap, Flag::Spread].into_iter().collect(),
    };
    let known = |resolution| {
        let total = Total::of(&energy, resolution);
        (total.known_ms, total.quality.has(Flag::Gap))
    };
    assert_eq!(known(Resolution::QuarterHour), (1, true));
    assert_eq!(known(Resolution::HalfHour), (1, true));
    assert_eq!(known(Resolution::Hour), (21, true));
    assert_eq!(known(Resolution::Day), (321, true));
    assert_eq!(known(Resolution::Week), (321, true));
    assert_eq!(known(Resolution::Month), (4_321, false));
}

#[test]
fn e12_of_an_epoch_only_the_known_part_counts() {
    let day = Day::default().import(&[("10:00", 40), ("11:00", 50)]).epoch("10:00", "09:00");
    let day = day.epoch("11:00", "10:45");
    assert_eq!(day.imports(&["10:45", "11:00"]), ["50 Wh 900 s reset"]);
}

#[test]
fn e13_power_holds_for_five_minutes_and_the_newest_for_none() {
    let day = Day::default().power(&[("10:00", 600), ("10:02", -300), ("10:12", 3_000)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["20 Wh 420 s power"]);
    assert_eq!(day.exports(&["10:00", "10:15"]), ["25 Wh 420 s power"]);
}

#[test]
fn e13_before_a_silence_power_holds_up_to_the_last_row() {
    let rows = [("10:00", 600), ("36d10:00", 600), ("36d10:01", 600)];
    let day = Day::default().power(&rows);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["? Wh 0 s"]);
    // Any row counts, also one that says nothing of energy.
    let day = day.epoch("10:03", "09:00");
    assert_eq!(day.imports(&["10:00", "10:15"]), ["30 Wh 180 s power"]);
}

#[test]
fn e13_power_beyond_the_meter_is_none_and_its_time_is_flagged() {
    let day = Day::default().with(|settings| settings.max_power_mw = 12_000 * WH);
    let day = day.power(&[("10:00", 600), ("10:01", 65_497), ("10:02", 600), ("10:03", 600)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["30 Wh 180 s power implausible"]);
    assert_eq!(day.decisions(), ["E13 power_beyond"]);
    // Where a register tells, nothing is flagged.
    let day = day.import(&[("10:00", 0), ("10:03", 30)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["30 Wh 180 s"]);
}

#[test]
fn e14_power_fills_what_no_register_tells() {
    let day = Day::default().steady_power("10:00", "10:30", 60, 600);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["150 Wh 900 s power"]);
    let day = day.import(&[("10:05", 100), ("10:10", 200)]);
    assert_eq!(
        day.imports(&["10:00", "10:15"]),
        ["200 Wh 900 s power"],
        "before the first and after the last"
    );
    let day = day.import(&[("10:15", 50_000)]);
    let unknown = day.imports(&["10:05", "10:10", "10:15"]);
    assert_eq!(unknown, ["100 Wh 300 s", "50 Wh 300 s power implausible"], "in an unknown interval");
}

#[test]
fn e15_a_bucket_is_half_open() {
    let day = Day::default().import(&[("10:00", 0), ("10:15", 100), ("10:30", 0), ("10:45", 110)]);
    assert_eq!(
        day.imports(&["10:15", "10:30", "10:45"]),
        ["5 Wh 0 s gap", "5 Wh 0 s gap glitch"],
        "the zero of 10:30 is in the bucket that begins there"
    );
}

#[test]
fn e15a_a_registers_value_at_an_edge_is_rounded_once() {
    let day = Day::default().import(&[("10:00", 2_000), ("10:02", 1_999)]);
    let thirds = day.imports(&["10:00", "10:00:30", "10:01:30", "10:02"]);
    assert_eq!(thirds, ["-0.25 Wh 30 s dip", "-0.5 Wh 60 s dip", "-0.25 Wh 30 s dip"]);
    // Power is summed in mW × µs, and rounded once per bucket: three times a third of a mWh are one.
    let day = Day::default().power(&[("10:00:00", 1), ("10:00:01", 1), ("10:00:02", 1), ("10:00:04", 0)]);
    assert_eq!(day.imports(&["10:00", "10:15"]), ["0.001 Wh 4 s power"]);
}

#[test]
fn e16_sums_take_what_is_known() {
    let known = Total { mwh: Some(5), known_ms: 900_000, quality: Quality::NONE.with(Flag::Power) };
    let both = known.and(Total::default());
    assert_eq!((both.mwh, both.known_ms), (Some(5), 900_000));
    assert!(both.quality.is_estimated() && both.is_incomplete(1_800_000));
    assert!(!known.is_incomplete(918_000) && known.is_incomplete(919_000));
    assert_eq!(Total::default().and(Total::default()).mwh, None);
}

#[test]
fn e16a_shaped_time_and_powers_time_are_of_the_first_class() {
    let day = Day::default().import(&[("10:00", 5_000), ("11:00", 5_400)]);
    let cells = |day: &Day| {
        day.meter().cells(&[crate::day::at("10:00"), crate::day::at("11:00")])[0].import.coverage_ms
    };
    assert_eq!(cells(&day), [0, 3_600_000, 0, 0]);
    assert_eq!(cells(&day.steady_power("10:00", "11:00", 10, 400)), [3_600_000, 0, 0, 0]);
}
