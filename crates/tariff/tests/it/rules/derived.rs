//! Shares, values, what-if and bills: C18, C19, C20, C21.

use serde_json::{Value, json};

use crate::home::{Home, flags};

/// One quarter-hour of a home with a roof, a battery and loads, in Wh.
fn home(grid: (i64, i64), produced: i64, battery: (i64, i64), loads: &[i64]) -> Home {
    let mut home = Home::new().with("range", json!(["2026-06-10T10:00:00Z", "2026-06-10T10:15:00Z"]));
    let run = |import: Option<i64>, export: Option<i64>| {
        let list = |wh: Option<i64>| wh.map_or(json!([]), |wh| json!([wh * 1_000]));
        json!([{"from": "2026-06-10T10:00:00Z", "to": "2026-06-10T10:15:00Z",
            "import_mwh": list(import), "export_mwh": list(export)}])
    };
    let mut meters = vec![
        json!({"id": "grid", "role": "grid", "runs": run(Some(grid.0), Some(grid.1))}),
        json!({"id": "roof", "role": "production", "runs": run(None, Some(produced))}),
        json!({"id": "battery", "role": "storage", "runs": run(Some(battery.0), Some(battery.1))}),
    ];
    for (place, load) in loads.iter().enumerate() {
        meters.push(json!({"id": format!("load{place}"), "role": "load", "runs": run(Some(*load), None)}));
    }
    home.input["meters"] = json!(meters);
    home
}

fn priced(home: Home) -> Home {
    let mut home = home.energy(json!({"price": "0.30"}));
    let sold = json!({"id": "out", "kind": "export", "currency": "EUR", "versions": [{"from": "2020-01-01", "components": [
        {"id": "sold", "kind": "energy", "measure": "export", "price": "0.08"}]}]});
    home.input["tariffs"].as_array_mut().unwrap().push(sold);
    home.input["agreements"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "o", "tariff": "out", "from": "2020-01-01"}));
    home
}

fn share(home: Home, load: &str) -> Value {
    home.with("shares", json!([{"meter": load}])).answer()["shares"][0].clone()
}

#[test]
fn c18_loads_take_part_of_everything_in_proportion() {
    // 300 Wh bought and 500 of the roof: the load of 400 is half of the 800.
    let found = share(priced(home((300, 0), 500, (0, 0), &[400])), "load0");
    let mwh = ["energy_mwh", "grid_mwh"].map(|key| found[key].as_i64().unwrap());
    assert_eq!(mwh, [400_000, 150_000]);
    // 0.15 × 0.30, and 0.25 kWh that would have earned 0.08.
    assert_eq!((&found["amount"], &found["forgone"]), (&json!("0.045000"), &json!("0.020000")));
}

#[test]
fn c18_loads_that_make_up_the_home_make_up_its_import_lines() {
    let all = priced(home((301, 0), 502, (0, 7), &[267, 540, 3]));
    let amount = |load: &str| crate::ask::micro(&share(all.clone(), load)["amount"]);
    assert_eq!(amount("load0") + amount("load1") + amount("load2"), 90_300);
}

#[test]
fn c18_a_load_beyond_the_home_is_an_imbalance() {
    let found = share(priced(home((300, 0), 100, (0, 0), &[500])), "load0");
    assert_eq!((&found["grid_mwh"], &found["amount"]), (&json!(300_000), &json!("0.090000")));
    assert_eq!((&found["forgone"], flags(&found)), (&json!("0.016000"), vec!["imbalance"]));
}

#[test]
fn c18_percentages_go_along_and_fixed_lines_do_not() {
    let mut home = priced(home((300, 0), 500, (0, 0), &[400]));
    let components = home.input["tariffs"][0]["versions"][0]["components"].as_array_mut().unwrap();
    components.push(json!({"id": "p", "kind": "percent", "percent": "10", "of": ["energy"]}));
    components.push(json!({"id": "fee", "kind": "standing", "price": "100", "per": "day"}));
    assert_eq!(share(home, "load0")["amount"], "0.049500");
}

#[test]
fn c18_of_net_metering_the_counters_tier_is_the_price() {
    let net = json!({"measure": "net", "per": "year", "price": "0.30", "surplus": "0.05"});
    let home = home((300, 0), 500, (0, 0), &[400]).agreement("from", json!("2026-06-10"));
    let found = share(home.energy(net), "load0");
    // Nothing is known since midnight: the counter stands at 0, in the tier above it.
    assert_eq!((&found["amount"], &found["forgone"]), (&json!("0.045000"), &json!("0.075000")));
}

#[test]
fn c18_what_is_unknown_is_left_out() {
    let mut home = priced(home((300, 0), 500, (0, 0), &[400]));
    home.input["meters"][3]["runs"] = json!([]);
    let found = share(home, "load0");
    assert_eq!(
        (&found["energy_mwh"], &found["amount"], flags(&found)),
        (&json!(null), &json!(null), vec!["no_energy"])
    );
}

#[test]
fn c19_self_use_is_what_was_not_bought_less_what_was_not_sold() {
    let value =
        priced(home((300, 200), 500, (0, 0), &[])).with("values", json!(["self_use"])).answer()["values"][0]
            .clone();
    // 300 of the 500 were used.
    assert_eq!(value["energy_mwh"], 300_000);
    let amounts = ["not_bought", "not_sold", "amount"].map(|key| value[key].as_str().unwrap().to_owned());
    assert_eq!(amounts, ["0.090000", "0.024000", "0.066000"]);
}

#[test]
fn c19_a_battery_is_worth_the_cost_without_it() {
    // 200 from the battery, of a consumption of 700 with 400 of the roof: without it 300 would have been bought.
    let value =
        priced(home((100, 0), 400, (0, 200), &[])).with("values", json!(["battery"])).answer()["values"][0]
            .clone();
    assert_eq!(value["energy_mwh"], 200_000);
    let amounts = ["not_bought", "not_sold", "amount"].map(|key| value[key].as_str().unwrap().to_owned());
    assert_eq!(amounts, ["0.060000", "0.000000", "0.060000"]);
    // Charging: 300 would have been sold.
    let value =
        priced(home((0, 100), 400, (200, 0), &[])).with("values", json!(["battery"])).answer()["values"][0]
            .clone();
    let amounts = ["not_bought", "not_sold", "amount"].map(|key| value[key].as_str().unwrap().to_owned());
    assert_eq!(amounts, ["0.000000", "0.016000", "-0.016000"]);
}

fn bills(home: &Home) -> Vec<Value> {
    home.clone().with("bills", json!(true)).answer()["bills"].as_array().unwrap().clone()
}

#[test]
fn c20_day_31_is_a_short_months_last_and_itself_again() {
    let fee = json!({"id": "fee", "kind": "standing", "price": "1", "per": "day"});
    let home = Home::new().dates("2026-01-31", "2026-04-30").component(fee);
    let home = home.agreement("billing", json!({"from": "2025-12-31", "months": 1}));
    let days: Vec<String> =
        bills(&home).iter().map(|bill| bill["start"].as_str().unwrap().to_owned()).collect();
    assert_eq!(days, ["2026-01-31", "2026-02-28", "2026-03-31"]);
    let months = home.agreement("billing", json!({"from": "2025-12-31", "months": 5}));
    assert_eq!(months.refused(), "period_unknown");
}

#[test]
fn c20_what_if_replaces_all_agreements() {
    let home = priced(home((300, 200), 500, (0, 0), &[]));
    let home = home.with("what_if", json!([
        {"id": "same", "agreements": [{"id": "x", "tariff": "t", "from": "2020-01-01"}, {"id": "y", "tariff": "out", "from": "2020-01-01"}]},
        {"id": "bought", "agreements": [{"id": "x", "tariff": "t", "from": "2020-01-01"}]},
        {"id": "none", "agreements": []}]));
    let answer = home.answer();
    let difference = |place: usize| answer["what_if"][place]["difference"][0]["amount"].clone();
    assert_eq!([difference(0), difference(1), difference(2)], ["0.000000", "0.016000", "-0.074000"]);
    assert_eq!(answer["what_if"][1]["amounts"][0]["amount"], "0.090000");
}

#[test]
fn c21_lines_are_rounded_then_vat_once_per_rate() {
    let fee = |id: &str, vat: &str| json!({"id": id, "kind": "standing", "price": "0.125", "per": "day", "vat": vat});
    let home = |mode: &str, included: bool| {
        let home =
            Home::new().dates("2026-06-01", "2026-06-02").tariff("bill", json!({"digits": 2, "mode": mode}));
        let home = home.tariff("vat_included", json!(included)).agreement("to", json!("2026-06-02"));
        let home = home.agreement("from", json!("2026-06-01"));
        bills(&home.component(fee("a", "20")).component(fee("b", "20")).component(fee("c", "10")))[0].clone()
    };
    let shown = |bill: &Value| {
        let lines: Vec<&str> =
            bill["lines"].as_array().unwrap().iter().map(|line| line["amount"].as_str().unwrap()).collect();
        let vat: Vec<&str> =
            bill["vat"].as_array().unwrap().iter().map(|row| row["amount"].as_str().unwrap()).collect();
        format!("{} + {} = {}", lines.join(" "), vat.join(" "), bill["total"].as_str().unwrap())
    };
    // Rows of VAT in order of the rate: 10 % of 0.13, 20 % of 0.26.
    assert_eq!(shown(&home("half_up", false)), "0.13 0.13 0.13 + 0.01 0.05 = 0.45");
    assert_eq!(shown(&home("half_even", false)), "0.12 0.12 0.12 + 0.01 0.05 = 0.42");
    assert_eq!(shown(&home("down", false)), "0.12 0.12 0.12 + 0.01 0.04 = 0.41");
    assert_eq!(shown(&home("half_up", true)), "0.13 0.13 0.13 + 0.01 0.04 = 0.39");
    let bill = home("half_up", true);
    assert_eq!(
        (&bill["prices"], &bill["partial"], &bill["end"]),
        (&json!("gross"), &json!(false), &json!("2026-06-02"))
    );
    assert_eq!(Home::new().tariff("bill", json!({"mode": "up"})).refused(), "rounding_unknown");
}

#[test]
fn c21_a_bill_is_made_of_exact_sums() {
    // 96 × 0.0000003 is 0.0000288, though every quarter-hour shows 0.
    let home = Home::new().dates("2026-06-01", "2026-07-01").import(json!([1]));
    let home = home.tariff("bill", json!({"digits": 6})).energy(json!({"price": "0.3"}));
    assert_eq!(bills(&home)[0]["total"], "0.000864");
}

#[test]
fn c21_a_range_that_cuts_the_period_is_a_part() {
    let fee = json!({"id": "fee", "kind": "standing", "price": "1", "per": "day"});
    let home = Home::new().dates("2026-06-10", "2026-08-01").component(fee);
    let found = bills(&home);
    let shown: Vec<(bool, &str)> = found
        .iter()
        .map(|bill| (bill["partial"].as_bool().unwrap(), bill["total"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [(true, "21.00"), (false, "31.00")]);
}
