//! What is due without energy, and for power: C8, C9, C14.

use serde_json::{Value, json};

use crate::home::{Home, flags, lines};

#[test]
fn c8_standing_charges_are_by_the_local_day() {
    let on = |from: &str, to: &str, per: &str, price: &str| {
        let fee = json!({"id": "fee", "kind": "standing", "price": price, "per": per});
        Home::new().dates(from, to).component(fee).total()
    };
    assert_eq!(on("2026-06-10", "2026-06-12", "day", "0.5"), "1.000000");
    assert_eq!(on("2026-02-10", "2026-02-11", "month", "28"), "1.000000");
    assert_eq!(on("2028-02-10", "2028-02-11", "month", "29"), "1.000000");
    assert_eq!(on("2026-06-10", "2026-06-11", "year", "365"), "1.000000");
    assert_eq!(on("2028-06-10", "2028-06-11", "year", "366"), "1.000000");
    // Days of 23 and of 25 hours are days.
    assert_eq!(on("2026-03-29", "2026-03-30", "day", "0.5"), "0.500000");
    assert_eq!(on("2026-10-25", "2026-10-26", "day", "0.5"), "0.500000");
}

#[test]
fn c8_a_day_is_shared_evenly_and_due_without_energy() {
    let fee = json!({"id": "fee", "kind": "standing", "price": "0.92", "per": "day", "times": "2"});
    let home = Home::new().dates("2026-03-29", "2026-03-30").component(fee).with("resolution", json!("1h"));
    assert_eq!(home.amounts(), vec!["0.080000"; 23]);
    let credit = json!({"id": "credit", "kind": "standing", "price": "-1", "per": "day"});
    assert_eq!(Home::new().component(credit).total(), "-1.000000");
}

#[test]
fn c8_once_is_on_the_first_quarter_hour_of_a_date() {
    let once = json!({"id": "bonus", "kind": "once", "date": "2026-06-11", "amount": "-50"});
    let home = Home::new().dates("2026-06-10", "2026-06-12").component(once).with("resolution", json!("15m"));
    let answer = home.answer();
    let with: Vec<usize> = (0..192).filter(|place| !lines(&answer["buckets"][*place]).is_empty()).collect();
    assert_eq!((with, home.total()), (vec![96], "-50.000000".to_owned()));
}

#[test]
fn c9_percentages_are_of_exact_amounts_in_the_tariffs_basis() {
    let home = Home::new().import(json!([1])).version_key("vat", json!("100"));
    let home = home.energy(json!({"price": "0.3"}));
    let percent = |id: &str, percent: &str, of: Value| json!({"id": id, "kind": "percent", "percent": percent, "of": of});
    let home = home.component(percent("p", "10", json!(["energy"])));
    let home = home.component(percent("q", "-50", json!(["energy", "p"])));
    // 96 × 0.3 = 28.8 millionths, 2.88 of it, and half of both off; doubled by VAT, each rounded by itself.
    assert_eq!(home.lines(), ["energy: 0.000058", "p: 0.000006", "q: -0.000032"]);
    let forward = Home::new().component(percent("p", "10", json!(["energy"])));
    assert_eq!(forward.refused(), "of_unknown");
}

#[test]
fn c9_a_minimum_is_what_the_named_lack_on_the_last_quarter_hour() {
    let home = |amount: &str, per: &str| {
        let minimum =
            json!({"id": "least", "kind": "minimum", "amount": amount, "per": per, "of": ["energy"]});
        let home = Home::new().dates("2026-06-29", "2026-07-02").import_on(
            "2026-06-01",
            "2026-07-02",
            json!([10_000]),
        );
        home.energy(json!({"price": "0.10"})).component(minimum).with("resolution", json!("1d"))
    };
    // 0.96 kWh a day.
    assert_eq!(home("1", "day").amounts(), ["1.000000", "1.000000", "1.000000"]);
    // 28.8 kWh in June; July isn't over.
    assert_eq!(home("5", "month").amounts(), ["0.096000", "2.216000", "0.096000"]);
    assert_eq!(home("2", "month").amounts(), ["0.096000", "0.096000", "0.096000"]);
    // Held since the 16th: half of it is due.
    let held = home("5", "month").agreement("from", json!("2026-06-16"));
    assert_eq!(held.amounts(), ["0.096000", "1.156000", "0.096000"]);
}

#[test]
fn c9_a_minimum_counts_every_version() {
    let minimum = json!({"id": "least", "kind": "minimum", "amount": "30", "per": "month", "of": ["energy"]});
    let home = Home::new().dates("2026-06-01", "2026-07-01").import(json!([250_000]));
    let home = home.energy(json!({"price": "0.01"})).component(minimum.clone()).version("2026-06-16");
    let home = home.energy(json!({"price": "0.02"})).component(minimum);
    assert_eq!(home.lines(), ["energy: 3.600000", "energy: 7.200000", "least: 19.200000"]);
}

fn peaks(more: Value) -> Home {
    let mut component = json!({"id": "power", "kind": "capacity", "window": "PT1H", "price_per_kw": "1"});
    component.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    // 1, 2, …, 24 kW in the hours of each day, on the 10th twice as much.
    let hours: Value = (0..96).map(|quarter| json!((quarter / 4 + 1) * 250_000)).collect();
    let twice: Value = (0..96).map(|quarter| json!((quarter / 4 + 1) * 500_000)).collect();
    let home = Home::new().dates("2026-06-01", "2026-07-01").import(hours);
    home.import_on("2026-06-10", "2026-06-11", twice).component(component)
}

#[test]
fn c14_a_months_peak_is_the_mean_of_its_highest_windows() {
    assert_eq!(peaks(json!({})).total(), "48.000000");
    assert_eq!(peaks(json!({"highest": 3})).total(), "46.000000");
    assert_eq!(peaks(json!({"highest": 3, "distinct_days": true})).total(), "32.000000");
    assert_eq!(peaks(json!({"min_kw": "50"})).total(), "50.000000");
    assert_eq!(peaks(json!({"window": "PT2H"})).refused(), "window_unknown");
}

#[test]
fn c14_windows_fit_when_and_have_weights() {
    assert_eq!(peaks(json!({"when": {"hours": ["06:00-08:00"]}})).total(), "16.000000");
    let weights = json!([{"when": {"hours": ["22:00-06:00"]}, "factor": "0.5"}, {"when": {}, "factor": "1"}]);
    assert_eq!(peaks(json!({"weights": weights})).total(), "44.000000");
}

#[test]
fn c14_steps_begin_at_their_edge_or_above_it() {
    let steps = json!([{"from_kw": "0", "price": "10"}, {"from_kw": "48", "price": "20"}]);
    let home = |edge: &str| {
        let mut home = peaks(json!({"steps": steps, "edge": edge}));
        let component = &mut home.input["tariffs"][0]["versions"][0]["components"][0];
        component.as_object_mut().unwrap().remove("price_per_kw");
        home
    };
    assert_eq!([home("upper").total(), home("lower").total()], ["20.000000", "10.000000"]);
}

#[test]
fn c14_billed_is_the_mean_of_months_of_this_agreement_that_are_known() {
    let home = |from: &str| {
        let component = json!({"id": "power", "kind": "capacity", "window": "PT15M", "price_per_kw": "1", "average_months": 12});
        let home = Home::new().dates("2026-06-01", "2026-07-01").import(json!([1_000_000]));
        let home = home.import_on("2026-02-01", "2026-03-01", json!([2_500_000]));
        home.import_on("2026-04-01", "2026-05-01", json!([250_000]))
            .component(component)
            .agreement("from", json!(from))
    };
    // 10, 1 and 4 kW; what is before the agreement isn't of it.
    assert_eq!([home("2025-06-01").total(), home("2026-03-01").total()], ["5.000000", "2.500000"]);
    let capacity = &home("2025-06-01").answer()["capacity"];
    assert_eq!(capacity.as_array().unwrap().len(), 1);
    assert_eq!(
        (&capacity[0]["peak_kw"], &capacity[0]["billed_kw"]),
        (&json!("4.000000"), &json!("5.000000"))
    );
}

#[test]
fn c14_days_of_the_agreement_and_a_ceiling() {
    assert_eq!(peaks(json!({})).agreement("from", json!("2026-06-16")).total(), "12.000000");
    // 48 × 12 ÷ 365 × 30 a year.
    assert_eq!(peaks(json!({"per": "year", "price_per_kw": "365"})).total(), "1440.000000");
    // 300 kWh a day, 600 on the 10th: 9,300 kWh.
    assert_eq!(peaks(json!({"max_per_kwh": "0.001"})).total(), "9.300000");
}

#[test]
fn c14_until_the_month_is_over_it_stands_beside_the_sums() {
    let home = peaks(json!({})).dates("2026-06-01", "2026-06-09").with("resolution", json!("1d"));
    let answer = home.answer();
    assert_eq!(answer["total"]["amounts"], json!([]));
    assert_eq!(
        (&answer["capacity"][0]["amount"], flags(&answer["capacity"][0])),
        (&json!("24.000000"), vec!["open"])
    );
    // On the last day it is due, and no day before it is another.
    let whole = peaks(json!({})).with("resolution", json!("1d")).answer();
    let with: Vec<usize> = (0..30).filter(|place| !lines(&whole["buckets"][*place]).is_empty()).collect();
    assert_eq!((with, flags(&whole["capacity"][0])), (vec![29], vec![]));
}
