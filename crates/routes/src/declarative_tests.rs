//! Declarations as an operator writes them.

use wattline_reading::{Limits, Timestamp};

use crate::{Decoded, Input, Judge, Memory, RouteSettings, Routes};

fn judge(route: &str) -> anyhow::Result<Judge> {
    #[derive(serde::Deserialize)]
    struct File {
        routes: Vec<RouteSettings>,
    }
    let file: File = toml::from_str(route)?;
    Ok(Judge {
        routes: Routes::new(&file.routes, &[])?,
        limits: Limits::default(),
        payload_bytes_max: 65_536,
    })
}

fn decide(judge: &Judge, topic: &str, payload: &str) -> Decoded {
    let received_at = Timestamp::parse_rfc3339("2026-11-20T10:00:30Z").unwrap();
    let payload = payload.as_bytes();
    let input = Input { topic, payload, retained: false, redelivered: false, received_at };
    judge.decide(&input, &mut Memory::default(), |_| {})
}

const ROUTE: &str = r#"
[[routes]]
filter = "site/+/gateway/+"
decoder = "declarative"

[[routes.readings]]
each = "meters"
id = "no"
time = { path = "at", unit = "ms" }
power_w = { path = "p[0].kw", unit = "kilo", negate = true }
energy_import_wh = { path = "reg.in", unit = "kilo" }
energy_export_wh = { path = "reg.out", scale = 1.5 }
voltage_v = { constant = 230 }
phases = [{ current_a = { path = "i[0]", unit = "milli" } }, { current_a = { path = "i[1]", unit = "milli" } }]
"#;

#[test]
fn several_meters_are_read_by_an_array_path() {
    let judge = judge(ROUTE).unwrap();
    let payload = r#"{"meters":[
        {"no":7,"at":1795168800123,"p":[{"kw":"1,25"}],"reg":{"in":"1234.567","out":3},"i":[500,250]},
        {"no":"x8","at":0,"p":[{"kw":-0.5}]}]}"#;
    let Decoded::Readings(readings) = decide(&judge, "site/a/gateway/b", payload) else { panic!("refused") };
    let [one, two] = readings.as_slice() else { panic!("{readings:?}") };
    assert_eq!((one.meter_id.as_str(), two.meter_id.as_str()), ("a/b/7", "a/b/x8"));
    assert_eq!(one.ts.to_string(), "2026-11-20T10:00:00.123Z");
    assert_eq!(two.ts, two.received_at);
    assert_eq!(one.measures.power_w, Some(-1250.0));
    assert_eq!(two.measures.power_w, Some(500.0));
    assert_eq!(one.measures.energy_import_mwh, Some(1_234_567_000));
    assert_eq!(one.measures.energy_export_mwh, Some(4500));
    assert_eq!(one.measures.voltage_v, Some(230.0));
    assert_eq!(one.measures.phases[1].current_a, Some(0.25));
}

#[test]
fn a_bare_number_is_read_by_an_empty_path() {
    let route = "[[routes]]\nfilter = \"grid/power\"\ndecoder = \"declarative\"\nmeter_id = \"house\"\n\
                 [[routes.readings]]\npower_w = { path = \"\" }\n";
    let judge = judge(route).unwrap();
    let Decoded::Readings(readings) = decide(&judge, "grid/power", " -12.5 ") else { panic!("refused") };
    assert_eq!(readings[0].meter_id, "house");
    assert_eq!(readings[0].measures.power_w, Some(-12.5));
    assert!(matches!(decide(&judge, "grid/power", "[1]"), Decoded::Reject(_)));
}

#[test]
fn a_wrong_declaration_says_what_is_wrong() {
    for (what, word) in [
        ("power_w = { path = \"a..b\" }", "empty step"),
        ("power_w = { path = \"a[x]\" }", "no index"),
        ("power_w = { path = \"a[0\" }", "has no ]"),
        ("power_w = { path = \"a.\" }", "ends with a dot"),
        ("power_w = { }", "a path or a constant"),
        ("power_w = { path = \"a\", scale = -1 }", "negate"),
        ("power_w = { path = \"a\", unit = \"parsec\" }", "parsec"),
        ("channel = \"x\"", "no value is read"),
        ("energy = { path = \"a\" }", "energy"),
    ] {
        let route =
            format!("[[routes]]\nfilter = \"a/+\"\ndecoder = \"declarative\"\n[[routes.readings]]\n{what}\n");
        let error = format!("{:#}", judge(&route).unwrap_err());
        assert!(error.contains(word), "{what}: {error}");
    }
    let error = judge("[[routes]]\nfilter = \"a/+\"\ndecoder = \"declarative\"\n").unwrap_err();
    assert!(error.to_string().contains("[[routes.readings]]"), "{error}");
}
