//! Slots, publications and bands: C4, C5, C6, C23.

use serde_json::{Value, json};

use crate::home::{Home, flags, lines};

/// Quarter-hours of one kWh of an hour's prices.
fn spot(prices: &Value, minutes: u32, rate: Value) -> Home {
    let mut spot = json!({"series": "spot"});
    spot.as_object_mut().unwrap().extend(rate.as_object().unwrap().clone());
    let home = Home::new().prices(minutes, prices.clone()).import(json!([1_000_000]));
    home.energy(json!({"spot": spot})).with("range", json!(["2026-06-09T22:00:00Z", "2026-06-10T00:00:00Z"]))
}

#[test]
fn c4_slots_of_15_30_and_60_minutes() {
    for (minutes, total) in [(15, "3.600000"), (30, "2.000000"), (60, "1.200000")] {
        let prices: Value = (1..=8).map(|price| format!("0.{price}")).collect();
        assert_eq!(spot(&prices, minutes, json!({})).total(), total, "{minutes}");
    }
    assert_eq!(spot(&json!(["0.1"]), 45, json!({})).refused(), "step_unknown");
}

/// min(max, max(min, factor × s + add)); of `above` only what the slot is above it.
#[test]
fn c4_the_effective_price_has_a_factor_bounds_and_a_threshold() {
    let first = |rate: Value| {
        let home = spot(&json!(["1.00", "-0.50"]), 60, rate).with("resolution", json!("1h"));
        home.amounts()
    };
    assert_eq!(first(json!({"factor": "1.1", "add": "0.05"})), ["4.600000", "-2.000000"]);
    assert_eq!(first(json!({"min": "0", "max": "0.9"})), ["3.600000", "0.000000"]);
    assert_eq!(first(json!({"factor": "-0.9", "above": "0.77"})), ["-0.828000", "0.000000"]);
    assert_eq!(first(json!({"factor": "-1", "add": "0.40"})), ["-2.400000", "3.600000"]);
}

/// 0.000000005 × 0.5 is 2.5 of the last digit: 3; below zero it is −2.
#[test]
fn c4_an_effective_price_is_rounded_once_by_floor_of_x_and_a_half() {
    let home = spot(&json!(["0.000000005", "-0.000000005"]), 60, json!({"factor": "0.5"}));
    let answer = home.with("explain", json!(["2026-06-09T22:00:00Z", "2026-06-09T23:00:00Z"])).answer();
    let price = |slot: usize| answer["slots"][slot]["lines"][0]["portions"][0]["price"].clone();
    assert_eq!((price(0), price(1)), (json!("0.000000003"), json!("-0.000000002")));
}

#[test]
fn c4_the_mean_of_the_hour_of_the_day_and_of_the_month() {
    let quarters = json!(["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]);
    let hours = spot(&quarters, 15, json!({"average": "PT1H"})).with("resolution", json!("1h"));
    assert_eq!(hours.amounts(), ["1.000000", "2.600000"]);
    // Most of the day is unknown, so is its mean; the month's is that of what is known.
    let day = spot(&quarters, 15, json!({"average": "P1D"})).answer();
    assert_eq!(
        (lines(&day["total"]), flags(&day["total"])),
        (vec!["energy: unknown".to_owned()], vec!["no_price"])
    );
    let month = spot(&quarters, 15, json!({"average": "P1M"})).answer();
    assert_eq!(lines(&month["total"]), ["energy: 3.600000"]);
    assert_eq!(flags(&month["total"]), ["provisional"]);
    assert_eq!(month["total"]["quarters_priced"], 8);
    assert_eq!(spot(&quarters, 15, json!({"average": "PT2H"})).refused(), "average_unknown");
}

/// At 02:00 the clock is set back: the hours before and after it have a mean each.
#[test]
fn c4_the_doubled_hour_has_two_means() {
    let home = Home::new().dates("2026-10-25", "2026-10-26").import(json!([1_000_000]));
    let prices: Value = (0..100).map(|quarter| json!(if quarter < 12 { "0.1" } else { "0.2" })).collect();
    let home = home.prices(15, prices).energy(json!({"spot": {"series": "spot", "average": "PT1H"}}));
    assert_eq!(home.with("resolution", json!("1h")).amounts()[2..4], ["0.400000", "0.800000"]);
}

fn published(values: Value, more: Value) -> Value {
    let mut publication = json!({"minutes": 60, "values": values});
    publication.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    publication
}

#[test]
fn c5_the_newest_final_counts_and_the_first_where_it_is_asked_for() {
    let all = [
        published(json!(["1"]), json!({"published": "2026-06-09T11:00:00Z", "revision": 1})),
        published(json!(["2"]), json!({"published": "2026-06-09T11:00:00Z", "revision": 2})),
        published(json!(["4"]), json!({"published": "2026-06-09T12:00:00Z", "revision": 1})),
        published(json!(["8", "8"]), json!({"published": "2026-06-09T13:00:00Z", "kind": "estimate"})),
    ];
    for turn in 0..all.len() {
        let range = json!(["2026-06-09T22:00:00Z", "2026-06-10T00:00:00Z"]);
        let home = Home::new().with("range", range).import(json!([250_000])).with("resolution", json!("1h"));
        let mut turned = all.to_vec();
        turned.rotate_left(turn);
        let home = turned.into_iter().fold(home, Home::publication);
        let newest = home.clone().energy(json!({"spot": {"series": "spot"}}));
        assert_eq!(newest.amounts(), ["4.000000", "8.000000"]);
        let answer = newest.answer();
        assert_eq!(
            (flags(&answer["buckets"][0]), flags(&answer["buckets"][1])),
            (vec![], vec!["estimated_price"])
        );
        let first = home.energy(json!({"spot": {"series": "spot", "revision": "first"}}));
        assert_eq!(first.amounts(), ["1.000000", "8.000000"]);
        let then = newest.with("as_of", json!("2026-06-09T11:30:00Z"));
        assert_eq!(then.amounts(), ["2.000000", "unknown"]);
    }
}

#[test]
fn c5_two_values_in_one_publication_are_refused() {
    let home = Home::new().prices(60, json!(["0.1", "0.2"])).prices(60, json!(["0.1", "0.3"]));
    assert_eq!(home.refused(), "publication_conflict");
    let pieces = Home::new().prices(60, json!(["0.1", "0.2"])).prices(60, json!(["0.1"]));
    pieces.answer();
}

fn banded(when: Value, more: Value) -> Home {
    let bands = json!([{"id": "in", "when": when, "price": "1"}, {"id": "out", "price": "0"}]);
    let mut component = json!({"bands": bands});
    component.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Home::new().import(json!([1_000_000])).energy(component)
}

/// kWh in the band on each of the dates.
fn inside(home: &Home) -> Vec<i64> {
    let answer = home.clone().with("resolution", json!("1d")).answer();
    let kwh = |bucket: &Value| {
        let own = bucket["lines"].as_array().unwrap().iter().find(|line| line["band"] == "in");
        own.map_or(0, |line| line["quantity_mwh"].as_i64().unwrap() / 1_000_000)
    };
    answer["buckets"].as_array().unwrap().iter().map(kwh).collect()
}

#[test]
fn c6_hours_are_half_open_and_may_wrap_midnight() {
    let home = |hours: Value| banded(json!({"hours": hours}), json!({}));
    let total = |hours: Value| home(hours).total();
    assert_eq!(total(json!(["22:00-06:15"])), "33.000000");
    assert_eq!(total(json!(["00:00-24:00"])), "96.000000");
    assert_eq!(total(json!(["06:00-07:00", "12:00-12:15"])), "5.000000");
    assert_eq!(home(json!(["06:10-07:00"])).refused(), "hours_off_grid");
}

#[test]
fn c6_days_dates_and_kinds_must_all_hold() {
    let week =
        |when: Value, more: Value| inside(&banded(when, more).dates("2026-06-08", "2026-06-15").with_run());
    assert_eq!(week(json!({"days": ["mon-fri"]}), json!({})), [96, 96, 96, 96, 96, 0, 0]);
    assert_eq!(
        week(json!({"days": ["fri-mon"], "hours": ["00:00-01:00"]}), json!({})),
        [4, 0, 0, 0, 4, 4, 4]
    );
    assert_eq!(week(json!({"dates": ["06-13/06-09"]}), json!({})), [96, 96, 0, 0, 0, 96, 96]);
    assert_eq!(week(json!({"dates": ["06-10/06-11"], "days": ["wed"]}), json!({})), [0, 0, 96, 0, 0, 0, 0]);
}

#[test]
fn c6_kinds_are_words_of_the_calendar_and_unknown_outside_of_it() {
    let calendar =
        json!([{"id": "c", "from": "2026-06-08", "to": "2026-06-11", "days": {"2026-06-09": "holiday"}}]);
    let home = |when: Value| {
        let home = banded(when, json!({"calendar": "c"})).dates("2026-06-08", "2026-06-12").with_run();
        home.with("calendars", calendar.clone())
    };
    assert_eq!(inside(&home(json!({"kinds": ["holiday"]}))), [0, 96, 0, 0]);
    assert_eq!(inside(&home(json!({"not_kinds": ["holiday"]}))), [96, 0, 96, 0]);
    assert_eq!(inside(&home(json!({"kinds": [""]}))), [96, 0, 96, 0]);
    let answer = home(json!({"kinds": ["holiday"]})).with("resolution", json!("1d")).answer();
    let last = &answer["buckets"][3];
    assert_eq!((lines(last), flags(last)), (vec!["energy: unknown".to_owned()], vec!["no_price"]));
    assert_eq!((&last["quarters_energy"], &last["quarters_priced"]), (&json!(96), &json!(0)));
    assert_eq!(last["lines"][0]["quantity_mwh"], 96_000_000);
}

/// Tempo: the day begins at six, so the night after a red day is still red.
#[test]
fn c6_before_the_day_begins_it_is_the_day_before() {
    let calendar =
        json!([{"id": "c", "from": "2026-06-01", "to": "2026-07-01", "days": {"2026-06-09": "red"}}]);
    let home = banded(json!({"kinds": ["red"]}), json!({"calendar": "c", "day_starts_at": "06:00"}));
    let home = home.dates("2026-06-08", "2026-06-12").with_run().with("calendars", calendar);
    assert_eq!(inside(&home), [0, 72, 24, 0]);
}

#[test]
fn c6_a_window_over_midnight_does_not_carry_its_day_along() {
    let home = banded(json!({"days": ["mon"], "hours": ["22:00-06:00"]}), json!({}));
    assert_eq!(inside(&home.dates("2026-06-08", "2026-06-10").with_run()), [32, 0]);
}

#[test]
fn c6_the_doubled_hour_is_twice_in_its_band_and_the_missing_one_in_none() {
    let on = |date: &str, next: &str, zone: Value| {
        banded(json!({"hours": ["02:00-03:00"]}), zone).dates(date, next).with_run().total()
    };
    assert_eq!(on("2026-10-25", "2026-10-26", json!({})), "8.000000");
    assert_eq!(on("2026-03-29", "2026-03-30", json!({})), "0.000000");
    // A meter that ignores summer time.
    assert_eq!(on("2026-10-25", "2026-10-26", json!({"zone": "Etc/GMT-1"})), "4.000000");
    assert_eq!(on("2026-03-29", "2026-03-30", json!({"zone": "Etc/GMT-1"})), "4.000000");
}

#[test]
fn c23_a_quarter_hour_is_taken_apart() {
    let home = Home::new().import(json!([250_000])).version_key("vat", json!("20"));
    let home = home.prices(60, json!(["0.1"])).energy(json!({"spot": {"series": "spot", "add": "0.02"}}));
    let home = home.component(json!({"id": "p", "kind": "percent", "percent": "5", "of": ["energy"]}));
    let answer = home.with("explain", json!(["2026-06-09T22:15:00Z"])).answer();
    let slot = &answer["slots"][0];
    assert_eq!(slot["start"], "2026-06-09T22:15:00Z");
    let expected = json!({"agreement": "a", "version": "2020-01-01", "component": "energy", "band": null,
        "quantity_mwh": 250_000, "portions": [{"mwh": 250_000, "price": "0.12"}],
        "published": "2026-01-01T12:00:00Z", "base": "0.03", "amount": "0.036000", "vat": "0.006000", "flags": []});
    assert_eq!(slot["lines"][0], expected);
    assert_eq!(slot["lines"][1]["base"], "0.0015");
}
