//! C25: what is wrong is refused, all or nothing, with a word, the place and the cure.

use serde_json::{Value, json};

use crate::ask::refusals;
use crate::home::Home;

/// A question in which everything is right: a dynamic tariff with bands, tiers, a charge for power, and what goes with it.
fn right() -> Home {
    let home = Home::new().import(json!([250_000])).prices(60, json!(["0.1", "0.2"]));
    let calendar =
        json!([{"id": "c", "from": "2026-01-01", "to": "2027-01-01", "days": {"2026-06-10": "holiday"}}]);
    let bands = json!([{"id": "night", "when": {"hours": ["22:00-06:00"], "days": ["mon"], "dates": ["01-01/12-31"], "kinds": ["holiday"]},
        "price": "0.1"}, {"id": "day", "spot": {"series": "spot"}}]);
    let tiers =
        json!([{"up_to_kwh": "1", "price": "0.1"}, {"up_to_kwh": "2", "price": "0.2"}, {"price": "0.3"}]);
    home.with("calendars", calendar)
        .energy(json!({"calendar": "c", "bands": bands}))
        .component(json!({"id": "tiered", "kind": "energy", "per": "month", "tiers": tiers}))
        .component(json!({"id": "fee", "kind": "standing", "price": "1", "per": "day"}))
        .component(json!({"id": "part", "kind": "percent", "percent": "5", "of": ["energy"]}))
        .component(json!({"id": "power", "kind": "capacity", "window": "PT1H", "steps": [{"from_kw": "0", "price": "1"}, {"from_kw": "2", "price": "2"}]}))
}

/// What stands at a JSON pointer is another, or nothing.
fn spoiled(pointer: &str, value: Value) -> (String, String) {
    let mut input = right().input;
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = input.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} leads nowhere"));
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (Value::Object(fields), value) => drop(fields.insert(key.to_owned(), value)),
        (Value::Array(items), value) => items[key.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{other} has no {key}"),
    }
    let found = refusals(&input.to_string());
    assert_eq!(found.len(), 1, "{pointer}: {found:?}");
    found[0].clone()
}

const ENERGY: &str = "/tariffs/0/versions/0/components/0";
const TIERED: &str = "/tariffs/0/versions/0/components/1";
const FEE: &str = "/tariffs/0/versions/0/components/2";
const PART: &str = "/tariffs/0/versions/0/components/3";
const POWER: &str = "/tariffs/0/versions/0/components/4";

#[test]
fn c25_what_is_right_is_taken() {
    right().answer();
}

#[test]
fn c25_each_word_is_said_of_its_place() {
    let of = |base: &str, rest: &str| format!("{base}{rest}");
    for (pointer, value, code) in [
        ("/zone".to_owned(), json!("Europe/Wien"), "zone_unknown"),
        ("/range/1".to_owned(), json!("2026-06-09T22:00:00Z"), "range_empty"),
        ("/range/1".to_owned(), json!("2026-06-11T00:00:00"), "no_offset"),
        ("/range/1".to_owned(), json!("2026-06-11T00:05:00Z"), "off_grid"),
        ("/range/1".to_owned(), json!("tomorrow"), "bad_time"),
        ("/resolution".to_owned(), json!("1w"), "resolution_unknown"),
        ("/values".to_owned(), json!(["sun"]), "value_unknown"),
        ("/colour".to_owned(), json!("blue"), "unknown_key"),
        ("/meters/0/role".to_owned(), json!("mains"), "role_unknown"),
        ("/meters/0/runs/0/import_mwh".to_owned(), json!([0.5]), "bad_number"),
        ("/prices/0/minutes".to_owned(), json!(20), "step_unknown"),
        ("/prices/0/kind".to_owned(), json!("guess"), "kind_unknown"),
        ("/prices/0/revision".to_owned(), json!("one"), "revision_unknown"),
        ("/prices/0/values/0".to_owned(), json!("0.1234567891"), "price_precision"),
        ("/prices/0/values".to_owned(), Value::Null, "no_data"),
        ("/prices/0/published".to_owned(), Value::Null, "bad_time"),
        ("/tariffs/0/kind".to_owned(), json!("power"), "kind_unknown"),
        ("/tariffs/0/bill".to_owned(), json!({"mode": "up"}), "rounding_unknown"),
        ("/tariffs/0/versions/0/from".to_owned(), json!("2026-02-30"), "bad_date"),
        ("/tariffs/0/versions/0/vat".to_owned(), json!("101"), "vat_range"),
        (of(ENERGY, "/kind"), json!("formula"), "component_unknown"),
        (of(ENERGY, "/measure"), json!("both"), "measure_unknown"),
        (of(ENERGY, "/calendar"), json!("holidays"), "calendar_unknown"),
        (of(ENERGY, "/calendar"), Value::Null, "calendar_unknown"),
        (of(ENERGY, "/zone"), json!("CET+1"), "zone_unknown"),
        (of(ENERGY, "/price"), json!("0.1"), "rate_missing"),
        (of(ENERGY, "/bands/0/when/hours"), json!(["22:00-06:05"]), "hours_off_grid"),
        (of(ENERGY, "/bands/0/when/days"), json!(["weekday"]), "day_unknown"),
        (of(ENERGY, "/bands/0/when/dates"), json!(["13-01/12-31"]), "bad_date"),
        (of(ENERGY, "/bands/1/when"), json!({"hours": ["06:00-22:00"]}), "bands_incomplete"),
        (of(ENERGY, "/bands/0/price"), Value::Null, "rate_missing"),
        (of(ENERGY, "/bands/1/spot/series"), json!("tomorrow"), "series_unknown"),
        (of(ENERGY, "/bands/1/spot/average"), json!("P1W"), "average_unknown"),
        (of(ENERGY, "/bands/1/spot/revision"), json!("second"), "revision_unknown"),
        (of(TIERED, "/per"), Value::Null, "period_missing"),
        (of(TIERED, "/per"), json!("week"), "period_unknown"),
        (of(TIERED, "/tiers/1/up_to_kwh"), json!("1"), "tiers_order"),
        (of(TIERED, "/tiers/2/up_to_kwh"), json!("3"), "tiers_unbounded"),
        (of(FEE, "/id"), json!("energy"), "component_duplicate"),
        (of(FEE, "/price"), Value::Null, "rate_missing"),
        (of(PART, "/of"), json!(["power"]), "of_unknown"),
        (of(POWER, "/window"), json!("PT2H"), "window_unknown"),
        (of(POWER, "/steps/1/from_kw"), json!("0"), "steps_order"),
        ("/agreements/0/tariff".to_owned(), json!("other"), "tariff_unknown"),
        ("/agreements/0/meters".to_owned(), json!(["roof"]), "meter_unknown"),
        ("/agreements/0/to".to_owned(), json!("2019-01-01"), "agreement_empty"),
    ] {
        let (found, place) = spoiled(&pointer, value.clone());
        assert_eq!(found, code, "{pointer} {value} at {place}");
        let path = place.replace('[', "/").replace(']', "").replace('.', "/");
        // What lacks something may be said of what needs it.
        let (parent, _) = pointer[1..].rsplit_once('/').unwrap_or(("", ""));
        let is_near = pointer[1..].starts_with(&path) || path.starts_with(parent);
        assert!(is_near, "{code} of {pointer} is said of {place}");
    }
}

/// The four of which people ask most: each with the place and the cure.
#[test]
fn c25_a_hole_an_overlap_two_currencies_a_year_that_is_missing_and_a_time_without_a_zone() {
    let text = |input: &Value| {
        wattline_tariff::print(&input.to_string(), wattline_tariff::Format::Text, false).unwrap_err()
    };
    let mut hole = right().input;
    hole["tariffs"][0]["versions"][0]["components"][0]["bands"][1]["when"] =
        json!({"hours": ["06:00-21:00"]});
    let place = "tariffs[0].versions[0].components[0].bands: bands_incomplete\n";
    assert!(text(&hole).starts_with(place), "{}", text(&hole));
    assert!(text(&hole).contains("add a last band without `when`"));
    let mut overlap = right().agreement("to", json!("2026-07-01")).input;
    let next = json!({"id": "b", "tariff": "t", "from": "2026-06-01"});
    overlap["agreements"].as_array_mut().unwrap().push(next);
    assert!(
        text(&overlap).starts_with("agreements[0]: agreement_overlap\n  end one agreement where"),
        "{}",
        text(&overlap)
    );
    let mut currencies = right().input;
    currencies["tariffs"][0]["currency"] = json!("SEK");
    assert!(
        text(&currencies).contains("spot.series: currency_mismatch\n  use one currency"),
        "{}",
        text(&currencies)
    );
    let mut year = right().input;
    year["calendars"][0]["from"] = json!("01-01");
    assert!(text(&year).starts_with("calendars[0].from: bad_date\n  write a date as"), "{}", text(&year));
    let offset = right().publication(
        json!({"minutes": 60, "values": ["0.3"], "revision": 2, "start": "2026-06-10T00:00:00"}),
    );
    assert!(
        text(&offset.input).starts_with("prices[1].start: no_offset\n  add Z or the offset"),
        "{}",
        text(&offset.input)
    );
}

/// Mistakes beside each other are told at once.
#[test]
fn c25_all_that_is_wrong_is_told() {
    let mut input = right().input;
    input["meters"][0]["role"] = json!("mains");
    input["prices"][0]["minutes"] = json!(20);
    let codes: Vec<String> = refusals(&input.to_string()).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes.len(), 2, "{codes:?}");
    assert!(
        ["role_unknown", "step_unknown"].iter().all(|code| codes.contains(&(*code).to_owned())),
        "{codes:?}"
    );
}

#[test]
fn c25_what_is_no_json_is_refused_at_its_byte() {
    for (text, byte) in [("", "byte 0"), ("{\"zone\": }", "byte 9"), ("{} {}", "byte 3"), ("[1", "byte 2")] {
        let found = refusals(text);
        assert_eq!(found[0].0, "format_unknown", "{text}");
        assert!(found[0].1.starts_with(byte), "{text}: {}", found[0].1);
    }
}

#[test]
fn c25_what_is_too_much_is_refused() {
    let long = Home::new().with("range", json!(["2026-01-01T00:00:00Z", "2037-01-01T00:00:00Z"]));
    assert_eq!(long.refused(), "too_large");
    let fine = Home::new().with("range", json!(["2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]));
    assert_eq!(fine.with("resolution", json!("15m")).refused(), "too_large");
}
