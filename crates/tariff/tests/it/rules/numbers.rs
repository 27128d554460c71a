//! Numbers, VAT and signs: C1, C2, C3, C7, C11, C22.

use serde_json::{Value, json};

use crate::home::{Home, lines};

/// A price of nine decimals, beyond what a float keeps of such an amount.
#[test]
fn c1_prices_have_nine_decimals_and_amounts_are_exact() {
    let home = Home::new().import(json!([1_000_000_000_i64])).energy(json!({"price": "123456.123456789"}));
    assert_eq!(home.total(), "11851787851.851744");
    let explained = home.with("explain", json!(["2026-06-10T10:00:00Z"])).answer();
    assert_eq!(explained["slots"][0]["lines"][0]["base"], "123456123.456789");
}

#[test]
fn c1_decimals_are_text_and_numbers_are_their_text() {
    let one = Home::new().import(json!([250_000])).energy(json!({"price": "0.1"}));
    let two = Home::new().import(json!([250_000])).energy(json!({"price": 0.1}));
    assert_eq!(one.total(), two.total());
    let home = Home::new().energy(json!({"price": "0.1234567891"}));
    assert_eq!(home.refused(), "price_precision");
    for (vat, word) in [("19.12345", "vat_range"), ("100.0001", "vat_range"), ("-1", "vat_range")] {
        assert_eq!(Home::new().version_key("vat", json!(vat)).refused(), word, "{vat}");
    }
    let percent = json!({"id": "p", "kind": "percent", "percent": "0.123456789", "of": ["energy"]});
    assert_eq!(Home::new().energy(json!({"price": "1"})).component(percent).refused(), "bad_number");
}

/// A third of a millionth each: the rounded running sum moves at every third.
#[test]
fn c2_a_quarter_hour_is_the_difference_of_the_rounded_running_sum() {
    let home = Home::new().with("resolution", json!("15m")).import(json!([1]));
    let amounts = home.energy(json!({"price": "0.333333"})).amounts();
    assert_eq!(
        amounts[..7],
        ["0.000000", "0.000001", "0.000000", "0.000000", "0.000001", "0.000000", "0.000000"]
    );
}

/// floor(x + ½): −0.5 is 0, −1.5 is −1.
#[test]
fn c2_a_half_below_zero_is_rounded_up() {
    let home = Home::new().with("resolution", json!("15m")).import(json!([1]));
    let amounts = home.energy(json!({"price": "-0.5"})).amounts();
    assert_eq!(amounts[..4], ["0.000000", "-0.000001", "0.000000", "-0.000001"]);
}

/// The range begins inside of the month, and what was before it counts; on the 1st it begins anew.
#[test]
fn c2_the_local_month_begins_the_sum_and_not_the_range() {
    let month = Home::new().dates("2026-06-01", "2026-07-01").import(json!([1]));
    let month = month.energy(json!({"price": "0.333333"})).with("resolution", json!("1d")).amounts();
    let day = Home::new().import_on("2026-06-01", "2026-07-01", json!([1]));
    assert_eq!(day.energy(json!({"price": "0.333333"})).total(), month[9]);
}

#[test]
fn c2_vat_is_rounded_like_the_amount() {
    let home = Home::new().import(json!([1])).version_key("vat", json!("50"));
    let home = home.energy(json!({"price": "1"})).with("resolution", json!("15m"));
    let answer = home.answer();
    let shown = |bucket: usize| answer["buckets"][bucket]["lines"][0].clone();
    assert_eq!((&shown(0)["amount"], &shown(0)["vat"]), (&json!("0.000002"), &json!("0.000001")));
    assert_eq!((&shown(1)["amount"], &shown(1)["vat"]), (&json!("0.000001"), &json!("0.000000")));
}

/// Hour by hour, not day × mean: what is used when it is cheap is cheap.
#[test]
fn c3_each_quarter_hour_has_its_own_price() {
    let prices: Value = (0..24).map(|hour| json!(if hour == 0 { "0" } else { "0.24" })).collect();
    let energy: Value = (0..96).map(|quarter| json!(if quarter < 4 { 1_000_000 } else { 0 })).collect();
    let home = Home::new().prices(60, prices).import(energy).energy(json!({"spot": {"series": "spot"}}));
    assert_eq!(home.total(), "0.000000");
}

#[test]
fn c3_a_quarter_hour_takes_the_version_of_its_local_date() {
    let home = Home::new().dates("2026-06-10", "2026-06-12").import(json!([250_000]));
    let home = home.energy(json!({"price": "0.20"})).version("2026-06-11").energy(json!({"price": "0.30"}));
    assert_eq!(home.with("resolution", json!("1d")).amounts(), ["4.800000", "7.200000"]);
}

#[test]
fn c7_vat_is_on_top_or_in_it_and_follows_the_sign() {
    let home = |price: &str| Home::new().import(json!([250_000])).energy(json!({"price": price}));
    let sums = |home: &Home| {
        let sum = home.answer()["total"]["amounts"][0].clone();
        (sum["amount"].as_str().unwrap().to_owned(), sum["vat"].as_str().unwrap().to_owned())
    };
    let net = |price| home(price).version_key("vat", json!("19"));
    let gross = |price| net(price).tariff("vat_included", json!(true));
    assert_eq!(sums(&net("0.10")), ("2.856000".into(), "0.456000".into()));
    assert_eq!(sums(&net("-0.10")), ("-2.856000".into(), "-0.456000".into()));
    assert_eq!(sums(&gross("0.119")), ("2.856000".into(), "0.456000".into()));
    assert_eq!(sums(&gross("-0.119")), ("-2.856000".into(), "-0.456000".into()));
}

#[test]
fn c7_a_components_rate_is_before_the_versions() {
    let home = Home::new().version_key("vat", json!("19"));
    let fee = |id: &str| json!({"id": id, "kind": "standing", "price": "1", "per": "day"});
    let mut reduced = fee("reduced");
    reduced["vat"] = json!("7");
    assert_eq!(
        home.component(fee("full")).component(reduced).lines(),
        ["full: 1.190000", "reduced: 1.070000"]
    );
}

#[test]
fn c11_export_at_a_positive_price_is_a_credit_and_at_a_negative_one_a_cost() {
    let home = |price: &str| {
        let home = Home::new().import(json!([250_000])).export(json!([500_000]));
        home.energy(json!({"measure": "export", "price": price}))
    };
    assert_eq!([home("0.08").total(), home("-0.08").total()], ["-3.840000", "3.840000"]);
}

#[test]
fn c22_currencies_are_never_added() {
    let mut home = Home::new().import(json!([250_000])).energy(json!({"price": "0.10"}));
    let mut other = home.input["tariffs"][0].clone();
    (other["id"], other["kind"], other["currency"]) = (json!("u"), json!("grid"), json!("SEK"));
    home.input["tariffs"].as_array_mut().unwrap().push(other);
    let agreement = json!({"id": "b", "tariff": "u", "from": "2020-01-01"});
    home.input["agreements"].as_array_mut().unwrap().push(agreement);
    let answer = home.answer();
    let amounts = &answer["total"]["amounts"];
    assert_eq!(
        (amounts[0]["currency"].as_str(), amounts[0]["amount"].as_str()),
        (Some("EUR"), Some("2.400000"))
    );
    assert_eq!(
        (amounts[1]["currency"].as_str(), amounts[1]["amount"].as_str()),
        (Some("SEK"), Some("2.400000"))
    );
    assert_eq!(lines(&answer["total"]).len(), 2);
}

#[test]
fn c22_a_series_has_its_tariffs_currency() {
    let home = Home::new().publication(json!({"minutes": 60, "values": ["0.1"], "currency": "SEK"}));
    assert_eq!(home.energy(json!({"spot": {"series": "spot"}})).refused(), "currency_mismatch");
    let home = Home::new().prices(60, json!(["0.1"]));
    let home = home.publication(json!({"minutes": 60, "values": ["0.1"], "currency": "SEK", "revision": 2}));
    assert_eq!(home.refused(), "currency_mismatch");
}
