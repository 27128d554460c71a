//! What holds when, for which meters, and prices of others: C10, C15, C24.

use serde_json::{Value, json};

use crate::home::{Home, flags};

/// A second agreement of another tariff at another price.
fn and_then(mut home: Home, kind: &str, price: &str, agreement: Value) -> Home {
    home.input["tariffs"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "u", "kind": kind, "currency": "EUR", "versions": [
        {"from": "2020-01-01", "components": [{"id": "next", "kind": "energy", "price": price}]}]}));
    let mut next = json!({"id": "b", "tariff": "u"});
    next.as_object_mut().unwrap().extend(agreement.as_object().unwrap().clone());
    home.input["agreements"].as_array_mut().unwrap().push(next);
    home
}

fn days() -> Home {
    let home = Home::new().dates("2026-06-10", "2026-06-13").import(json!([250_000]));
    home.energy(json!({"price": "0.10"})).with("resolution", json!("1d"))
}

#[test]
fn c10_an_agreement_ends_where_the_next_of_its_kind_begins() {
    let next = and_then(days(), "supply", "1", json!({"from": "2026-06-11"}));
    assert_eq!(next.amounts(), ["2.400000", "24.000000", "24.000000"]);
    let other_kind = and_then(days(), "grid", "1", json!({"from": "2026-06-11", "to": "2026-06-12"}));
    assert_eq!(other_kind.amounts(), ["2.400000", "26.400000", "2.400000"]);
    assert_eq!(flags(&other_kind.answer()["total"]), ["no_tariff"]);
}

#[test]
fn c10_dates_of_one_kind_that_overlap_are_refused() {
    let until =
        |to: &str| and_then(days().agreement("to", json!(to)), "supply", "1", json!({"from": "2026-06-12"}));
    assert_eq!(until("2026-06-13").refused(), "agreement_overlap");
    assert_eq!(until("2026-06-12").amounts(), ["2.400000", "2.400000", "24.000000"]);
    let same = and_then(days(), "supply", "1", json!({"from": "2020-01-01"}));
    assert_eq!(same.refused(), "agreement_overlap");
    assert_eq!(days().agreement("to", json!("2020-01-01")).refused(), "agreement_empty");
}

#[test]
fn c10_of_two_versions_of_one_date_the_one_recorded_last_counts() {
    let home = days().version_key("recorded", json!("2026-01-01T00:00:00Z")).version("2020-01-01");
    let home = home.version_key("recorded", json!("2026-02-01T00:00:00Z")).energy(json!({"price": "0.20"}));
    assert_eq!(home.total(), "14.400000");
    assert_eq!(home.clone().with("as_of", json!("2026-01-15T00:00:00Z")).total(), "7.200000");
    let twice = home.version_key("recorded", json!("2026-01-01T00:00:00Z"));
    assert_eq!(twice.refused(), "version_duplicate");
}

/// Berlin to London: the first day there begins an hour later, and no hour counts twice or is lost.
#[test]
fn c10_a_move_to_another_zone_counts_no_hour_twice() {
    let west = and_then(days(), "supply", "1", json!({"from": "2026-06-12", "zone": "Europe/London"}));
    let answer = west.answer();
    let kwh = |line: usize| answer["total"]["lines"][line]["quantity_mwh"].as_i64().unwrap() / 250_000;
    assert_eq!((kwh(0), kwh(1)), (196, 92));
    let east = and_then(days(), "supply", "1", json!({"from": "2026-06-12", "zone": "Europe/Athens"}));
    let answer = east.answer();
    let kwh = |line: usize| answer["total"]["lines"][line]["quantity_mwh"].as_i64().unwrap() / 250_000;
    assert_eq!((kwh(0), kwh(1)), (188, 100));
}

#[test]
fn c15_an_agreement_measures_its_grid_meters_and_submeters_never_cost() {
    let mut home = days();
    let range = home.input["range"].clone();
    let run = |role: &str, id: &str| json!({"id": id, "role": role, "runs": [{"from": range[0], "to": range[1], "import_mwh": [250_000]}]});
    let more = [run("grid", "second"), run("load", "car")];
    home.input["meters"].as_array_mut().unwrap().extend(more);
    assert_eq!(home.total(), "14.400000");
    assert_eq!(home.clone().agreement("meters", json!(["second"])).total(), "7.200000");
    assert_eq!(home.agreement("meters", json!(["car"])).refused(), "meter_unknown");
}

/// Hours of 10 June from the text of others, at 0.1 kWh each.
fn priced(prices: Value) -> Home {
    let mut home = Home::new().with("range", json!(["2026-06-10T10:00:00Z", "2026-06-10T13:00:00Z"]));
    let mut publication = json!({"series": "spot", "currency": "EUR", "published": "2026-06-09T11:00:00Z"});
    publication.as_object_mut().unwrap().extend(prices.as_object().unwrap().clone());
    home.input["prices"] = json!([publication]);
    home.import(json!([250_000])).energy(json!({"spot": {"series": "spot"}})).with("resolution", json!("1h"))
}

#[test]
fn c24_csv() {
    let csv = |text: &str, more: Value| {
        let mut prices = json!({"format": "csv", "text": text});
        prices.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        priced(prices)
    };
    let text = "start,end,price\n2026-06-10T12:00:00+02:00,2026-06-10T13:00:00+02:00,100\n\
        2026-06-10T11:00:00Z,2026-06-10T11:15:00Z,-20\n";
    let home = csv(text, json!({"unit": "MWh"}));
    assert_eq!(home.amounts(), ["0.100000", "-0.005000", "unknown"]);
    let home = csv(text, json!({"unit": "MWh", "scale": "0.1"}));
    assert_eq!(home.amounts(), ["0.010000", "-0.000500", "unknown"]);
    let without_end = csv("start,price\n2026-06-10T10:00Z,0.1000000005\n", json!({"minutes": 60}));
    let answer = without_end.with("explain", json!(["2026-06-10T10:00:00Z"])).answer();
    assert_eq!(answer["slots"][0]["lines"][0]["portions"][0]["price"], "0.100000001");
    for (text, word) in [
        ("start,end,cost\n", "column_missing"),
        ("start,end,price\n", "no_data"),
        ("start,end,price\n2026-06-10T10:00:00,2026-06-10T11:00:00Z,1\n", "no_offset"),
        ("start,end,price\n2026-06-10T10:05:00Z,2026-06-10T11:00:00Z,1\n", "off_grid"),
        ("start,end,price\n2026-06-10T10:00:00Z,2026-06-10T12:00:00Z,1\n", "step_unknown"),
        ("start,end,price\n2026-06-10T10:00:00Z,2026-06-10T11:00:00Z,1x\n", "bad_number"),
        (
            "start,end,price\n2026-06-10T10:00:00Z,2026-06-10T11:00:00Z,1\n2026-06-10T10:30:00Z,2026-06-10T11:30:00Z,1\n",
            "overlap",
        ),
    ] {
        assert_eq!(csv(text, json!({})).refused(), word, "{text}");
    }
    assert_eq!(csv(text, json!({"unit": "Wh"})).refused(), "unit_unknown");
}

#[test]
fn c24_json_by_pointers() {
    let json = |text: &str, paths: Value, time: &str| {
        priced(
            json!({"format": "json", "text": text, "paths": paths, "time": time, "minutes": 60, "unit": "kWh"}),
        )
    };
    let paths = json!({"rows": "/data/slots", "start": "/from", "price": "/price/value"});
    let text = r#"{"data":{"slots":[{"from":1781085600,"price":{"value":0.1}},{"from":1781089200,"price":{"value":"0.2"}}]}}"#;
    assert_eq!(json(text, paths.clone(), "s").amounts(), ["0.100000", "0.200000", "unknown"]);
    let ms = text.replace("600,", "600000,").replace("200,", "200000,");
    assert_eq!(json(&ms, paths.clone(), "ms").amounts(), ["0.100000", "0.200000", "unknown"]);
    assert_eq!(json("{}", paths.clone(), "s").refused(), "path_missing");
    assert_eq!(json("no", paths, "s").refused(), "format_unknown");
}

fn document(curve: &str, points: &[(u32, &str)], more: &str) -> String {
    let point = |(position, price): &(u32, &str)| {
        format!("<Point><position>{position}</position><price.amount>{price}</price.amount></Point>")
    };
    let points: String = points.iter().map(point).collect();
    format!(
        "<Publication_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3\">\
         <revisionNumber>1</revisionNumber><createdDateTime>2026-06-09T11:00:00Z</createdDateTime>\
         <TimeSeries><contract_MarketAgreement.type>A01</contract_MarketAgreement.type>{more}\
         <currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>\
         <curveType>{curve}</curveType><Period><timeInterval><start>2026-06-10T10:00Z</start>\
         <end>2026-06-10T13:00Z</end></timeInterval><resolution>PT60M</resolution>{points}</Period></TimeSeries>\
         </Publication_MarketDocument>"
    )
}

fn entsoe(text: &str) -> Home {
    let mut home = priced(json!({"format": "entsoe", "text": text}));
    let publication = home.input["prices"][0].as_object_mut().unwrap();
    publication.remove("currency");
    publication.remove("published");
    home
}

#[test]
fn c24_a_curve_a03_repeats_what_it_leaves_out_and_a01_does_not() {
    let points = [(1, "100"), (3, "-50")];
    assert_eq!(entsoe(&document("A03", &points, "")).amounts(), ["0.100000", "0.100000", "-0.050000"]);
    assert_eq!(entsoe(&document("A01", &points, "")).amounts(), ["0.100000", "unknown", "-0.050000"]);
    assert_eq!(entsoe(&document("A03", &points[..1], "")).amounts(), vec!["0.100000"; 3]);
    assert_eq!(entsoe(&document("A03", &points[1..], "")).refused(), "first_position_missing");
    assert_eq!(entsoe(&document("A03", &[(4, "1")], "")).refused(), "position_range");
}

#[test]
fn c24_of_several_auctions_one_counts() {
    let sequence = |number: u32| {
        format!(
            "<classificationSequence_AttributeInstanceComponent.position>{number}</classificationSequence_AttributeInstanceComponent.position>"
        )
    };
    let one = document("A03", &[(1, "100")], &sequence(1));
    let two = document("A03", &[(1, "200")], &sequence(2));
    let series =
        |text: &str| text[text.find("<TimeSeries>").unwrap()..text.find("</Publication").unwrap()].to_owned();
    let both = one.replace("</Publication", &format!("{}</Publication", series(&two)));
    assert_eq!(entsoe(&both).amounts()[0], "0.100000");
    let mut second = entsoe(&both);
    second.input["prices"][0]["sequence"] = json!(2);
    assert_eq!(second.amounts()[0], "0.200000");
    assert_eq!(entsoe(&two).refused(), "no_data");
    let intraday = document("A03", &[(1, "100")], "").replace(">A01<", ">A07<");
    assert_eq!(entsoe(&intraday).refused(), "no_data");
    assert_eq!(entsoe(&one.replace("MWH", "MTU")).refused(), "unit_unknown");
    assert_eq!(entsoe(&one.replace("PT60M", "P1D")).refused(), "resolution_unknown");
}
