//! Tiers and net metering: C12, C13.

use serde_json::{Value, json};

use crate::home::{Home, flags};

fn tiers(more: Value) -> Value {
    let mut rate =
        json!({"per": "month", "tiers": [{"up_to_kwh": "100", "price": "0.10"}, {"price": "0.30"}]});
    rate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rate
}

/// 96 kWh a day.
fn month() -> Home {
    Home::new().dates("2026-06-01", "2026-06-03").import(json!([1_000_000])).with("resolution", json!("1d"))
}

#[test]
fn c12_a_counter_is_cut_exactly_at_its_edge() {
    assert_eq!(month().energy(tiers(json!({}))).amounts(), ["9.600000", "28.000000"]);
    let edge = json!({"tiers": [{"up_to_kwh": "0.4", "price": "0.10"}, {"price": "0.30"}]});
    let home = month().energy(tiers(edge)).with("explain", json!(["2026-05-31T22:00:00Z"]));
    let portions = home.answer()["slots"][0]["lines"][0]["portions"].clone();
    assert_eq!(portions, json!([{"mwh": 400_000, "price": "0.1"}, {"mwh": 600_000, "price": "0.3"}]));
}

#[test]
fn c12_periods_are_days_months_years_and_billing_periods() {
    let home = |per: &str| {
        let home = Home::new().dates("2026-06-28", "2026-07-03").import(json!([1_000_000]));
        let home = home.agreement("billing", json!({"from": "2026-06-30", "months": 1}));
        home.energy(tiers(json!({"per": per}))).with("resolution", json!("1d")).amounts()
    };
    assert_eq!(home("day"), vec!["9.600000"; 5]);
    // What is before the range isn't in the file, so it counts nothing, and the counter isn't sure.
    assert_eq!(home("month"), ["9.600000", "28.000000", "28.800000", "9.600000", "28.000000"]);
    assert_eq!(home("year"), ["9.600000", "28.000000", "28.800000", "28.800000", "28.800000"]);
    assert_eq!(home("billing"), ["9.600000", "28.000000", "9.600000", "28.000000", "28.800000"]);
}

#[test]
fn c12_energy_before_the_range_counts() {
    let home = Home::new().dates("2026-06-02", "2026-06-03").import_on(
        "2026-06-01",
        "2026-06-03",
        json!([1_000_000]),
    );
    assert_eq!(home.energy(tiers(json!({}))).total(), "28.000000");
}

#[test]
fn c12_a_counter_runs_only_while_the_agreement_holds() {
    let home = Home::new().dates("2026-06-02", "2026-06-03").import_on(
        "2026-06-01",
        "2026-06-03",
        json!([1_000_000]),
    );
    assert_eq!(home.agreement("from", json!("2026-06-02")).energy(tiers(json!({}))).total(), "9.600000");
}

#[test]
fn c12_a_counter_runs_through_versions() {
    let home = month().energy(tiers(json!({}))).version("2026-06-02").energy(tiers(json!({})));
    assert_eq!(home.amounts(), ["9.600000", "28.000000"]);
    // Also through those in which nothing depends on it, and by another period.
    let home = month().energy(json!({"price": "0.20"})).version("2026-06-02").energy(tiers(json!({})));
    assert_eq!(home.amounts(), ["19.200000", "28.000000"]);
    let home = month().energy(tiers(json!({"per": "day"}))).version("2026-06-02").energy(tiers(json!({})));
    assert_eq!(home.amounts(), ["9.600000", "28.000000"]);
}

#[test]
fn c12_bands_have_a_counter_each() {
    let tiers = json!([{"up_to_kwh": "40", "price": "0.10"}, {"price": "0.30"}]);
    let bands =
        json!([{"id": "n", "when": {"hours": ["00:00-12:00"]}, "tiers": tiers}, {"id": "d", "tiers": tiers}]);
    assert_eq!(month().energy(json!({"per": "month", "bands": bands})).amounts(), ["12.800000", "28.800000"]);
}

#[test]
fn c12_edges_are_shared_by_days() {
    // Held from the 16th: half of June.
    let home = |more: Value| {
        let home = Home::new().dates("2026-06-16", "2026-06-17").import(json!([1_000_000]));
        home.agreement("from", json!("2026-06-16")).energy(tiers(more)).total()
    };
    assert_eq!(home(json!({"prorate": true})), "18.800000");
    // 3.3 kWh × 15 days.
    let daily = json!({"tiers": [{"up_to_kwh_per_day": "3.3", "price": "0.10"}, {"price": "0.30"}]});
    assert_eq!(home(daily), "18.900000");
    // 100 ÷ 30 × 15 by the day: rounded only after the product.
    let fine = json!({"tiers": [{"up_to_kwh_per_day": "3.333333333", "price": "0.10"}, {"price": "0.30"}]});
    assert_eq!(home(fine), "18.800000");
}

#[test]
fn c12_a_tier_may_be_dynamic() {
    let prices: Value = (0..48).map(|_| "0.05").collect();
    let tiers = json!([{"up_to_kwh": "100", "spot": {"series": "spot"}}, {"price": "0.30"}]);
    let home = month().prices(60, prices).energy(json!({"per": "month", "tiers": tiers}));
    assert_eq!(home.amounts(), ["4.800000", "27.800000"]);
}

#[test]
fn c12_orders_of_tiers_are_checked() {
    let refused = |tiers: Value| Home::new().energy(json!({"per": "month", "tiers": tiers})).refused();
    let (one, two) = (json!({"up_to_kwh": "1", "price": "1"}), json!({"up_to_kwh": "2", "price": "1"}));
    assert_eq!(refused(json!([two, one, {"price": "1"}])), "tiers_order");
    assert_eq!(refused(json!([one, two])), "tiers_unbounded");
    assert_eq!(refused(json!([{"price": "1"}, two])), "tiers_unbounded");
    let home = Home::new().energy(json!({"tiers": [one, {"price": "1"}]}));
    assert_eq!(home.refused(), "period_missing");
}

fn net(more: Value) -> Value {
    let mut rate = json!({"measure": "net", "per": "year", "price": "0.30", "surplus": "0.05"});
    rate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rate
}

/// Import by day, export by night, of 1 kWh each: what rises above zero is charged, and given back on the way down.
#[test]
fn c13_what_the_counter_passes_is_charged_upward_and_given_back_downward() {
    let home = |import: Value, export: Value| {
        Home::new()
            .import(json!([0]))
            .with("range", json!(["2026-06-09T22:00:00Z", "2026-06-09T23:00:00Z"]))
            .run(
                &json!("2026-06-09T22:00:00Z"),
                &json!("2026-06-09T23:00:00Z"),
                json!({"import_mwh": import, "export_mwh": export}),
            )
            .agreement("from", json!("2026-06-10"))
            .with("resolution", json!("15m"))
    };
    let through_zero = home(json!([1_000_000, 0, 0, 3_000_000]), json!([0, 2_000_000, 1_000_000, 0]));
    let amounts = ["0.300000", "-0.350000", "-0.050000", "0.400000"];
    assert_eq!(through_zero.clone().energy(net(json!({}))).amounts(), amounts);
    let tiers = json!([{"up_to_kwh": "0.5", "price": "0.20"}, {"price": "0.40"}]);
    let mut tiered = net(json!({"tiers": tiers}));
    tiered.as_object_mut().unwrap().remove("price");
    let amounts = ["0.300000", "-0.350000", "-0.050000", "0.400000"];
    assert_eq!(through_zero.energy(tiered).amounts(), amounts);
}

/// No later export rewrites a past day: the year's sum is right at any moment.
#[test]
fn c13_a_later_export_changes_no_past_day() {
    let home = |export: Value| {
        let home = Home::new()
            .dates("2026-06-10", "2026-06-12")
            .import(json!([250_000]))
            .with("resolution", json!("1d"));
        let next = json!("2026-06-10T22:00:00Z");
        let end = home.input["range"][1].clone();
        home.export(json!([0]))
            .run(&next, &end, json!({"export_mwh": export}))
            .agreement("from", json!("2026-06-10"))
            .energy(net(json!({})))
    };
    assert_eq!(home(json!([0])).amounts(), ["7.200000", "7.200000"]);
    assert_eq!(home(json!([500_000])).amounts(), ["7.200000", "-7.200000"]);
    assert_eq!(home(json!([1_000_000])).amounts(), ["7.200000", "-9.600000"]);
}

#[test]
fn c13_needs_fixed_prices_and_a_surplus() {
    let home = Home::new().prices(60, json!(["0.1"]));
    let spot = json!({"measure": "net", "per": "year", "spot": {"series": "spot"}, "surplus": "0"});
    assert_eq!(home.energy(spot).refused(), "netting_needs_fixed_price");
    let without = json!({"measure": "net", "per": "year", "price": "0.1"});
    assert_eq!(Home::new().energy(without).refused(), "rate_missing");
}

/// Where one of two registers is unknown, so is their difference; a meter without one has nothing there.
#[test]
fn c13_a_net_of_what_is_unknown_is_unknown() {
    let home = Home::new().import(json!([250_000])).energy(net(json!({})));
    assert_eq!(home.total(), "7.200000");
    let answer = home.export(json!([null, 0, 0, 0])).answer();
    assert_eq!(answer["total"]["quarters_energy"], 72);
    assert_eq!(flags(&answer["total"]), ["no_energy", "provisional"]);
}
