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
        ("power_w = { }", "a path, a sum or a constant"),
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

/// The examples of `docs/formats.md`, as they stand there.
fn documented() -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, section) = page.split_once("## The declarative decoder").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split("[[routes]]").skip(1).map(|route| format!("[[routes]]{route}\n")).collect()
}

#[test]
fn what_the_documents_show_is_read() {
    let routes = documented();
    let all = judge(&routes.concat()).unwrap();
    assert_eq!(all.routes.all().len(), 5);
    for (topic, payload, expected) in [
        (
            "plant/a/all",
            r#"{"meters":[{"no":7,"t":1795168800,"p":[{"kw":1.25}],"e":1000,"i":[500]}]}"#,
            "a/7 10:00:00 P=-1250 in=1500000",
        ),
        (
            "hall/a/meter",
            r#"{"in":0.2,"out":1.5,"t1":1.5,"t2":2,"x":{"wh":7,"t":1795168800}}"#,
            "a 10:00:30 P=-1300 in=3500000; a 10:00:00 out=7000",
        ),
        (
            "iomtsgdata/x",
            r#"[{"du":"DU1","data":[{"ts":1795168800000,"p":1},{"ts":1795168801000,"p":2}]}]"#,
            "x/DU1 10:00:00 P=1; x/DU1 10:00:01 P=2",
        ),
        ("emonhub/rx/5/values", "100,200", "5/ct1 10:00:30 P=100; 5/ct2 10:00:30 P=200"),
        ("emonhub/rx/9/values", "7,8,9", "9/ct1 10:00:30 P=7; 9/ct2 10:00:30 P=8; 9/ct3 10:00:30 P=9"),
    ] {
        let Decoded::Readings(readings) = decide(&all, topic, payload) else { panic!("{topic} is refused") };
        let made: Vec<_> = readings.iter().map(shown).collect();
        assert_eq!(made.join("; "), expected, "{topic}");
    }
}

fn shown(reading: &wattline_reading::Reading) -> String {
    let mut text = format!("{} {}", reading.meter_id, &reading.ts.to_string()[11..19]);
    let measures = &reading.measures;
    let mut add = |name: &str, value: Option<String>| {
        text.extend(value.map(|value| format!(" {name}={value}")));
    };
    add("P", measures.power_w.map(|power| power.to_string()));
    add("in", measures.energy_import_mwh.map(|mwh| mwh.to_string()));
    add("out", measures.energy_export_mwh.map(|mwh| mwh.to_string()));
    text
}
