//! The declarative decoder: what a route's paths find, and what a wrong declaration is told.

use serde_json::json;
use wattline_formats::declarative::ReadingSettings;
use wattline_formats::message::Message;
use wattline_formats::{Decoder, Family, FamilyOptions, Memory, Topic};

use crate::shown::line;

fn decoder(readings: &serde_json::Value) -> anyhow::Result<Decoder> {
    let readings: Vec<ReadingSettings> = serde_json::from_value(readings.clone())?;
    Decoder::new(Family::named("declarative").unwrap(), &readings)
}

fn made(readings: &serde_json::Value, payload: &str) -> String {
    let options = FamilyOptions::default();
    let message = Message { topic: Topic("x/y"), payload: payload.as_bytes(), options: &options };
    line(&decoder(readings).unwrap().decode(&message, &mut Memory::default()))
}

#[test]
fn paths_find_values() {
    let power = |path: &str| json!([{"power_w": {"path": path}}]);
    for (path, payload, expected) in [
        ("a.b", r#"{"a":{"b":5}}"#, "P=5"),
        ("$.a.b", r#"{"a":{"b":5}}"#, "P=5"),
        ("a[1].b", r#"{"a":[{"b":1},{"b":5}]}"#, "P=5"),
        ("[1]", "[1,5]", "P=5"),
        (r#"["a.b"]"#, r#"{"a.b":5}"#, "P=5"),
        (r#"x["a.b"][0]"#, r#"{"x":{"a.b":[5]}}"#, "P=5"),
        ("", "5", "P=5"),
        ("ä.ö", r#"{"ä":{"ö":5}}"#, "P=5"),
        ("a.b", r#"{"a":{"b":null}}"#, "ignored no_value"),
        ("a.b", r#"{"b":5}"#, "ignored other_quantity"),
        ("b", r#"{"power":5}"#, "ignored not_the_meter"),
        ("a[9]", r#"{"a":[1]}"#, "ignored other_quantity"),
        ("a", r#"{"a":"none"}"#, "ignored no_value"),
        ("a", r#"{"a":{}}"#, "ignored no_value"),
        ("a", r#"{"a":{"b":1}}"#, "refused malformed"),
        ("a", r#"{"a":true}"#, "refused malformed"),
        ("a", r#"{"a":"x"}"#, "refused malformed"),
        ("a", "{", "refused malformed"),
        ("a", "", "ignored empty"),
    ] {
        assert_eq!(made(&power(path), payload), expected, "{path} {payload}");
    }
}

#[test]
fn units_scales_and_signs() {
    for (value, expected) in [
        (json!({"power_w": {"path": "v", "unit": "kilo"}}), "P=1500"),
        (json!({"power_w": {"path": "v", "scale": 0.5}}), "P=0.75"),
        (json!({"power_w": {"path": "v", "negate": true}}), "P=-1.5"),
        (json!({"energy_import_wh": {"path": "v", "unit": "kilo"}}), "in=1500000"),
        (json!({"energy_import_wh": {"path": "v", "scale": 0.1}}), "in=150"),
        (json!({"energy_export_wh": {"path": "v", "unit": "watt-minute"}}), "out=25"),
        (json!({"voltage_v": {"path": "v", "scale": 100}}), "U=150"),
        (json!({"power_w": {"constant": 7.5}}), "P=7.5"),
        (json!({"soc_pct": {"path": "v", "scale": 10}}), "soc=15"),
    ] {
        assert_eq!(made(&json!([value]), r#"{"v":1.5}"#), expected, "{value}");
    }
    assert_eq!(made(&json!([{"power_w": {"path": "v", "negate": true}}]), r#"{"v":0}"#), "P=0", "no −0");
}

#[test]
fn registers_stay_decimal_under_a_scale() {
    let scaled = json!([{"energy_import_wh": {"path": "v", "unit": "kilo", "scale": 0.1}}]);
    // In floating point this is 123456.78900000002 Wh.
    assert_eq!(made(&scaled, r#"{"v":"1234.56789"}"#), "in=123456789");
    assert_eq!(made(&scaled, r#"{"v":1e30}"#), "refused malformed");
}

#[test]
fn each_item_of_a_list_is_a_meter() {
    let each =
        json!([{"each": "m", "id": "id", "time": {"path": "t", "unit": "s"}, "power_w": {"path": "p"}}]);
    let two = r#"{"m":[{"id":"a","p":1,"t":1795168800},{"id":7,"p":2}]}"#;
    assert_eq!(made(&each, two), "id=a P=1 @2026-11-20T10:00:00Z; id=7 P=2");
    for none in [r#"{"m":[{"p":1}]}"#, r#"{"m":[{"id":"","p":1}]}"#, r#"{"m":[{"id":"unknown","p":1}]}"#] {
        assert_eq!(made(&each, none), "refused meter_id_invalid", "{none}");
    }
    assert_eq!(made(&each, r#"{"m":{"id":"a","p":1}}"#), "ignored other_quantity");
    assert_eq!(made(&each, "{}"), "ignored no_value");
    let many = format!(r#"{{"m":[{}]}}"#, vec![r#"{"id":"a","p":1}"#; 1003].join(","));
    let options = FamilyOptions::default();
    let message = Message { topic: Topic("x"), payload: many.as_bytes(), options: &options };
    let drafts = decoder(&each).unwrap().decode(&message, &mut Memory::default()).unwrap();
    assert_eq!((drafts.drafts.len(), drafts.beyond), (1000, 3));
}

#[test]
fn times_have_the_declared_unit() {
    let with = |unit: &str| json!([{"time": {"path": "t", "unit": unit}, "power_w": {"path": "p"}}]);
    for (unit, time, expected) in [
        ("s", "1795168800", "@2026-11-20T10:00:00Z"),
        ("ms", "1795168800123", "@2026-11-20T10:00:00.123Z"),
        ("us", "1795168800123456", "@2026-11-20T10:00:00.123456Z"),
        ("ns", "1795168800123456789", "@2026-11-20T10:00:00.123456Z"),
        ("auto", "\"2026-11-20T10:00:00Z\"", "@2026-11-20T10:00:00Z"),
        ("s", "\"2026-11-20T10:00:00Z\"", "@unreadable"),
        ("s", "{}", "@unreadable"),
        ("s", "0", "@unset"),
    ] {
        assert_eq!(
            made(&with(unit), &format!(r#"{{"p":1,"t":{time}}}"#)),
            format!("P=1 {expected}"),
            "{unit} {time}"
        );
    }
}

#[test]
fn phases_and_channels() {
    let readings = json!([
        {"channel": "grid", "phases": [{"power_w": {"path": "p[0]"}}, {"power_w": {"path": "p[1]"}, "voltage_v": {"path": "u"}}]},
        {"channel": "car", "power_w": {"path": "c"}},
    ]);
    assert_eq!(made(&readings, r#"{"p":[1,2],"u":230,"c":9}"#), "<grid> L1(P=1) L2(P=2 U=230); <car> P=9");
    assert_eq!(made(&readings, r#"{"c":9,"u":"x"}"#), "<car> P=9 | left out phases[1].voltage_v=unreadable");
}

#[test]
fn a_wrong_declaration_says_what_and_where() {
    for (reading, expected) in [
        (json!({}), "no value is read"),
        (json!({"power_w": {}}), "power_w needs a path, a sum or a constant, and not both"),
        (json!({"power_w": {"path": "a", "constant": 1}}), "not both"),
        (json!({"power_w": {"path": "a", "sum": ["b", "c"]}}), "not both"),
        (json!({"power_w": {"sum": ["b"]}}), "power_w: a sum has two paths or more"),
        (json!({"power_w": {"minus": "b"}}), "power_w needs a path"),
        (json!({"power_w": {"constant": 1, "minus": "b"}}), "not beside a constant"),
        (json!({"power_w": {"constant": 1, "time": {"path": "t"}}}), "a constant has no time"),
        (json!({"power_w": {"path": "^a"}}), "more ^ than there is each around it: 0"),
        (json!({"each": "m", "power_w": {"path": "^^a"}}), "more ^ than there is each around it: 1"),
        (json!({"each": ["^m"], "power_w": {"path": "a"}}), "more ^ than"),
        (json!({"each": [], "power_w": {"path": "a"}}), "each is an empty list"),
        (json!({"each": 5, "power_w": {"path": "a"}}), "from the outermost inward"),
        (json!({"channel": "ct{index}", "power_w": {"path": "a"}}), "there is no each"),
        (json!({"power_w": {"path": "a", "scale": 0}}), "power_w: scale 0 must be above 0"),
        (json!({"power_w": {"path": "a", "scale": -2}}), "(see negate)"),
        (json!({"power_w": {"path": "a..b"}}), "empty step"),
        (json!({"power_w": {"path": "a."}}), "ends with a dot"),
        (json!({"power_w": {"path": "a[x]"}}), "\"x\" is no index"),
        (json!({"power_w": {"path": "a[1"}}), "has no ]"),
        (json!({"power_w": {"path": "[\"a"}}), "has no \"]"),
        (json!({"each": "a[", "power_w": {"path": "a"}}), "has no ]"),
        (json!({"id": "a..", "power_w": {"path": "a"}}), "empty step"),
        (json!({"phases": [{}, {}, {}, {}]}), "there are 4 phases, at most 3"),
        (json!({"power_w": {"pat": "a"}}), "unknown field `pat`"),
        (json!({"power_w": {"path": "a", "unit": "horse"}}), "unknown variant `horse`"),
    ] {
        let error = format!("{:#}", decoder(&json!([reading])).unwrap_err());
        assert!(error.contains(expected), "{reading}: {error}");
    }
}

#[test]
fn a_difference_and_a_sum_are_known_where_all_their_parts_are() {
    let readings = json!([{
        "power_w": {"path": "in", "minus": "out", "unit": "kilo"},
        "energy_import_wh": {"sum": ["t1", "t2"], "unit": "kilo"},
        "energy_export_wh": {"sum": ["r1", "r2", "r3"], "minus": "r4", "scale": 2, "unit": "kilo"},
    }]);
    for (payload, expected) in [
        (r#"{"in":0.2,"out":1.5}"#, "P=-1300"),
        (r#"{"in":"0,5","out":0}"#, "P=500"),
        (r#"{"t1":1234.567,"t2":"0.001"}"#, "in=1234568000"),
        (r#"{"r1":1,"r2":2,"r3":3,"r4":0.5}"#, "out=11000000"),
        (r#"{"in":0.2,"t1":1,"t2":2}"#, "in=3000000 | left out power_w=part_missing"),
        (r#"{"in":0.2,"out":null}"#, "ignored no_value"),
        (r#"{"t1":1}"#, "ignored no_value"),
        (r#"{"in":0.2,"out":0.1,"t1":1,"t2":"nan"}"#, "P=100 | left out energy_import_wh=part_missing"),
        (r#"{"in":null,"out":null}"#, "ignored no_value"),
        ("{}", "ignored no_value"),
        (r#"{"in":"x","out":0}"#, "refused malformed"),
        (r#"{"in":[1],"out":0}"#, "refused malformed"),
    ] {
        let made = made(&readings, payload);
        assert!(made.starts_with(expected), "{payload}: {made}");
    }
}

#[test]
fn arrays_within_arrays_are_readings_each() {
    let nested = json!([{
        "each": ["", "data"],
        "id": "^du",
        "time": {"path": "ts", "unit": "s"},
        "power_w": {"path": "p"},
        "voltage_v": {"path": "^^[0].u"},
    }]);
    let payload = r#"[{"du":"DU1","u":230,"data":[{"ts":1795168800,"p":1},{"ts":1795168860,"p":2}]},{"du":"DU2","data":[{"p":3}]}]"#;
    assert_eq!(
        made(&nested, payload),
        "id=DU1 P=1 U=230 @2026-11-20T10:00:00Z; id=DU1 P=2 U=230 @2026-11-20T10:01:00Z; id=DU2 P=3 U=230"
    );
}

#[test]
fn lists_without_names_are_read_by_their_places() {
    let readings = json!([
        {"channel": "ct1", "power_w": {"path": "[0]"}},
        {"channel": "ct2", "power_w": {"path": "[1]"}, "energy_import_wh": {"path": "[3]"}},
    ]);
    // emonHub, node only.
    assert_eq!(made(&readings, "100,200.5, 23900,1234"), "<ct1> P=100; <ct2> P=200.5 in=1234000");
    assert_eq!(made(&readings, "[100,200.5]"), "<ct1> P=100; <ct2> P=200.5");
    assert_eq!(made(&readings, "100,,5"), "<ct1> P=100");
    assert_eq!(made(&readings, "100,abc"), "refused malformed");
    assert_eq!(made(&json!([{"power_w": {"path": ""}}]), "12,5"), "refused malformed", "a list is no number");
    let items = json!([{"each": "clamps", "channel": "ct{index}", "power_w": {"path": "w"}}]);
    assert_eq!(made(&items, r#"{"clamps":[{"w":1},{"w":2}]}"#), "<ct1> P=1; <ct2> P=2");
    let bare = json!([{"each": "clamps", "channel": "ct{index}", "power_w": {"path": ""}}]);
    assert_eq!(made(&bare, r#"{"clamps":[5,6]}"#), "<ct1> P=5; <ct2> P=6");
}

#[test]
fn a_value_may_have_a_time_of_its_own() {
    let readings = json!([{
        "time": {"path": "t", "unit": "s"},
        "power_w": {"path": "p"},
        "energy_import_wh": {"path": "e.v", "time": {"path": "e.t", "unit": "s"}},
        "energy_export_wh": {"path": "x.v", "time": {"path": "x.t", "unit": "s"}},
    }]);
    let payload = r#"{"t":1795168860,"p":5,"e":{"v":1,"t":1795168800},"x":{"v":2,"t":1795168800}}"#;
    assert_eq!(made(&readings, payload), "P=5 @2026-11-20T10:01:00Z; in=1000 out=2000 @2026-11-20T10:00:00Z");
    let without = r#"{"t":1795168860,"p":5,"e":{"v":1}}"#;
    assert_eq!(made(&readings, without), "P=5 in=1000 @2026-11-20T10:01:00Z");
}
