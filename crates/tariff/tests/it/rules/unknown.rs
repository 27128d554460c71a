//! What isn't known: C16, C17.

use serde_json::json;

use crate::home::{Home, flags, lines};

#[test]
fn c16_unknown_energy_is_null_and_known_nothing_is_zero() {
    let home = Home::new().energy(json!({"price": "0.10"}));
    assert_eq!(home.clone().import(json!([null])).lines(), ["energy: unknown"]);
    assert_eq!(home.clone().import(json!([0])).lines(), ["energy: 0.000000"]);
    let answer = home.import(json!([null, 250_000])).answer();
    assert_eq!(
        (lines(&answer["total"]), flags(&answer["total"])),
        (vec!["energy: 1.200000".to_owned()], vec!["no_energy"])
    );
    let counts = ["quarters", "quarters_energy", "quarters_priced"].map(|key| answer["total"][key].as_u64());
    assert_eq!(counts, [Some(96), Some(48), Some(96)]);
    assert_eq!(answer["total"]["import_mwh"], 12_000_000);
}

#[test]
fn c16_a_missing_price_is_flagged_even_where_nothing_was_used() {
    let home = Home::new().prices(60, json!([null])).energy(json!({"spot": {"series": "spot"}}));
    let answer = home.clone().import(json!([0])).answer();
    assert_eq!(
        (lines(&answer["total"]), flags(&answer["total"])),
        (vec!["energy: 0.000000".to_owned()], vec!["no_price"])
    );
    assert_eq!(answer["total"]["quarters_priced"], 0);
    assert_eq!(home.import(json!([1])).lines(), ["energy: unknown"]);
}

#[test]
fn c16_of_tiers_any_missing_price_counts() {
    let tiers = json!([{"up_to_kwh": "1000", "price": "0.1"}, {"spot": {"series": "spot"}}]);
    let home = Home::new()
        .prices(60, json!([null]))
        .import(json!([1]))
        .energy(json!({"per": "month", "tiers": tiers}));
    let answer = home.answer();
    assert_eq!(
        (lines(&answer["total"]), flags(&answer["total"])),
        (vec!["energy: unknown".to_owned()], vec!["no_price", "provisional"])
    );
}

#[test]
fn c16_a_meter_without_an_agreement_that_it_ever_has_lacks_a_tariff() {
    let home = Home::new().dates("2026-06-10", "2026-06-12").import(json!([250_000]));
    let home = home.energy(json!({"price": "0.10"})).agreement("to", json!("2026-06-11"));
    let answer = home.with("resolution", json!("1d")).answer();
    assert_eq!((flags(&answer["buckets"][0]), flags(&answer["buckets"][1])), (vec![], vec!["no_tariff"]));
    let second = &answer["buckets"][1];
    assert_eq!(
        (&second["quarters_priced"], &second["amounts"], &second["lines"]),
        (&json!(0), &json!([]), &json!([]))
    );
    assert_eq!(answer["total"]["quarters_priced"], 96);
}

#[test]
fn c16_of_several_meters_the_known_ones_count() {
    let mut home = Home::new().import(json!([250_000])).energy(json!({"price": "0.10"}));
    let range = home.input["range"].clone();
    let other = json!({"id": "second", "role": "grid", "runs": [
        {"from": range[0], "to": range[1], "import_mwh": [null, 250_000]}]});
    home.input["meters"].as_array_mut().unwrap().push(other);
    let answer = home.answer();
    assert_eq!(
        (lines(&answer["total"]), flags(&answer["total"])),
        (vec!["energy: 3.600000".to_owned()], vec!["no_energy"])
    );
    assert_eq!(answer["total"]["quarters_energy"], 48);
}

#[test]
fn c16_a_counter_that_passed_an_unknown_quarter_hour_is_provisional() {
    let tiers = json!([{"up_to_kwh": "1", "price": "0.1"}, {"price": "0.2"}]);
    let home =
        Home::new().dates("2026-06-10", "2026-06-12").import(json!([1_000])).with("resolution", json!("1d"));
    let begin = json!("2026-06-10T10:00:00Z");
    let home = home.run(&begin, &json!("2026-06-10T10:15:00Z"), json!({"import_mwh": [null]}));
    let answer = home.energy(json!({"per": "day", "tiers": tiers})).answer();
    assert_eq!(flags(&answer["buckets"][0]), ["no_energy", "provisional"]);
    assert_eq!(flags(&answer["buckets"][1]), Vec::<&str>::new());
}

#[test]
fn c16_a_window_with_an_unknown_quarter_hour_is_no_candidate() {
    let home = Home::new().dates("2026-06-01", "2026-07-01").import(json!([250_000]));
    let home = home.run(
        &json!("2026-06-10T10:00:00Z"),
        &json!("2026-06-10T11:00:00Z"),
        json!({"import_mwh": [9_000_000, null]}),
    );
    let home =
        home.component(json!({"id": "power", "kind": "capacity", "window": "PT1H", "price_per_kw": "1"}));
    let answer = home.answer();
    assert_eq!(
        (lines(&answer["total"]), flags(&answer["total"])),
        (vec!["power: 1.000000".to_owned()], vec!["provisional"])
    );
}

#[test]
fn c16_a_minimum_of_what_is_not_known_is_provisional() {
    let minimum = json!({"id": "least", "kind": "minimum", "amount": "5", "per": "day", "of": ["energy"]});
    let home = Home::new().import(json!([null, 250_000])).energy(json!({"price": "0.10"})).component(minimum);
    let answer = home.answer();
    assert_eq!(lines(&answer["total"]), ["energy: 1.200000", "least: 3.800000"]);
    assert_eq!(flags(&answer["total"]["lines"][1]), ["provisional"]);
}

#[test]
fn c17_what_energy_is_estimated_its_cost_is() {
    let home = |quality: &str| {
        let home = Home::new().energy(json!({"price": "0.10"}));
        let range = home.input["range"].clone();
        home.run(&range[0], &range[1], json!({"import_mwh": [250_000], "quality": [quality]}))
    };
    for quality in ["gap", "power", "implausible"] {
        assert_eq!(flags(&home(quality).answer()["total"]), ["estimated"], "{quality}");
    }
    for quality in ["spread", "shaped", "dip", "glitch", "reset", "rollover", "swap"] {
        assert_eq!(flags(&home(quality).answer()["total"]), Vec::<&str>::new(), "{quality}");
    }
    assert_eq!(home("guess").refused(), "value_unknown");
}
