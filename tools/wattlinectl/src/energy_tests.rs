use std::io::Cursor;

use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// Standard output and standard error of a command with this input.
fn ask(input: &str, more: &[&str]) -> anyhow::Result<(String, String)> {
    let words = ["energy", "--input", "-"].iter().chain(more);
    let Command { arguments } = Command::try_parse_from(words)?;
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    run(&arguments, Cursor::new(input), &mut out, &mut notes)?;
    Ok((String::from_utf8(out)?, String::from_utf8(notes)?))
}

const HOUR: [&str; 8] = [
    "--resolution",
    "15m",
    "--zone",
    "UTC",
    "--from",
    "2026-06-10T10:00:00Z",
    "--to",
    "2026-06-10T10:15:00Z",
];

fn refused(input: &str) -> String {
    format!("{:#}", ask(input, &HOUR).unwrap_err())
}

#[test]
fn a_list_of_readings_is_answered_with_a_list_of_buckets() {
    let input = r#"[{"meter_id":"m1","ts":"2026-06-10T10:00:00Z","energy_import_wh":5000},
                    {"meter_id":"m1","ts":1781086500,"energy_import_wh":5012.5,"power_w":null}]"#;
    let (out, notes) = ask(input, &HOUR).unwrap();
    let expected = json!([{
        "meter_id": "m1", "start": "2026-06-10T10:00:00Z", "end": "2026-06-10T10:15:00Z", "seconds": 900,
        "energy_import_wh": 12.5, "coverage_import": 1.0, "quality_import": [],
        "estimated_import": false, "incomplete_import": false,
        "energy_export_wh": null, "coverage_export": 0.0, "quality_export": [],
        "estimated_export": false, "incomplete_export": true,
    }]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    assert_eq!(notes, "");
    let (out, _) = ask(input, &[&HOUR[..], &["--format", "csv"]].concat()).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("meter_id,start,end,seconds,energy_import_wh,"), "{out}");
    assert!(lines[1].starts_with("m1,2026-06-10T10:00:00Z,2026-06-10T10:15:00Z,900,12.5,1.0,,"), "{out}");
}

#[test]
fn decisions_are_explained_on_request_and_a_refused_event_always() {
    let input = r#"{"readings":[{"meter_id":"m1","ts":"2026-06-10T10:00:00Z","energy_import_wh":9000},
        {"meter_id":"m1","ts":"2026-06-10T10:00:00Z","energy_import_wh":9001},
        {"meter_id":"m1","ts":"2026-06-10T10:10:00Z","energy_import_wh":25,"energi_import_wh":4}],
        "events":[{"kind":"swap","register":"energy_import_wh","at":"2026-06-10T10:05:00Z","old_wh":70000,"new_wh":0}]}"#;
    let (_, notes) = ask(input, &HOUR).unwrap();
    let lines: Vec<&str> = notes.lines().collect();
    assert_eq!(lines.len(), 2, "{notes}");
    assert_eq!(lines[0], "readings have keys that are not known and say nothing: energi_import_wh");
    assert!(lines[1].contains("E9.1: entered replacement can't be: 61000 Wh by the old meter"), "{notes}");
    let (_, notes) = ask(input, &[&HOUR[..], &["--explain"]].concat()).unwrap();
    assert!(notes.contains("m1 2026-06-10T10:00:00Z E1: conflict"), "{notes}");
    let reset = "m1 2026-06-10T10:00:00Z to 2026-06-10T10:10:00Z import E9.4: reset: from 9000 Wh to zero, 25 Wh since";
    assert!(notes.lines().any(|line| line == reset), "{notes}");
}

#[test]
fn what_is_wrong_with_the_input_is_said_with_its_place() {
    for (input, words) in [
        ("", vec!["neither a list of readings nor an object"]),
        ("[{\"meter_id\":\"m1\"}]", vec!["missing field `ts`", "line 1"]),
        ("[\n{\"meter_id\":\"m1\",\"ts\":\"10:00\"}]", vec!["\"10:00\"", "a time with its zone", "line 2"]),
        (
            "[{\"meter_id\":\"m1\",\"ts\":0}]",
            vec!["reading 1 of meter \"m1\"", "between the years 2000 and 2200"],
        ),
        (
            "[{\"meter_id\":\"m1\",\"ts\":1781086500,\"energy_import_wh\":\"5\"}]",
            vec!["invalid type: string \"5\"", "line 1"],
        ),
        (
            "[{\"meter_id\":\"m1\",\"ts\":1781086500,\"energy_import_wh\":1e30}]",
            vec!["beyond any register", "line 1"],
        ),
        ("{\"readings\":[],\"setings\":{}}", vec!["unknown field `setings`", "`settings`"]),
        (
            "{\"readings\":[],\"settings\":{\"max_power\":1}}",
            vec!["unknown field `max_power`", "`max_power_w`"],
        ),
        ("{\"readings\":[],\"settings\":{\"hold_s\":-1}}", vec!["hold_s must lie between 0 and 8640000 s"]),
        (
            "{\"readings\":[],\"events\":[{\"kind\":\"swap\",\"register\":\"energy_import_wh\",\"at\":1781086500,\
             \"old_wh\":1,\"new_wh\":0}]}",
            vec!["event 1", "there is no reading of meter"],
        ),
        (
            "{\"readings\":[],\"home\":{\"meters\":[{\"meter_id\":\"m1\",\"role\":\"roof\"}]}}",
            vec!["home: meter \"m1\": role \"roof\" is not grid, production, storage or load"],
        ),
    ] {
        let error = refused(input);
        for word in words {
            assert!(error.contains(word), "{input}: {error}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_question_is_said() {
    let with = |place: usize, word: &'static str| {
        let mut words = HOUR;
        words[place] = word;
        ask("[]", &words).unwrap_err().to_string()
    };
    assert!(with(1, "2h").contains("one of 1m, 5m, 15m"), "{}", with(1, "2h"));
    assert!(with(3, "Athens").contains("no such time zone"));
    assert!(with(5, "yesterday").contains("write a time as in"));
    assert!(with(7, "2026-06-10T10:00:00Z").contains("its end must be later than its start"));
    assert!(
        ask("[]", &[&HOUR[..], &["--billing-day", "3"]].concat()).unwrap_err().to_string().contains("1mo")
    );
    let minutes = ["--resolution", "1m", "--zone", "UTC", "--from", "2020-01-01", "--to", "2026-01-01"];
    assert!(ask("[]", &minutes).unwrap_err().to_string().contains("more than 1000000 buckets"));
}

#[test]
fn an_instant_and_a_home_are_answered_beside_the_buckets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/energy/test_data");
    let case = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let home = case("home-solar-battery.json");
    let (out, _) = ask(&document(&home), &question(&home, "1h")).unwrap();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["buckets"].as_array().unwrap().len(), 5);
    assert_eq!((&answer["home"][0]["rest_wh"], &answer["home"][0]["autarky"]), (&json!(950), &json!(0.55)));
    let derived = case("derived-register-only.json");
    let mut words = question(&derived, "1d");
    words.extend(["--now", "2026-06-10T10:32:00Z"]);
    let (out, _) = ask(&document(&derived), &words).unwrap();
    let answer: Value = serde_json::from_str(&out).unwrap();
    let meter = json!({"meter_id": "m1", "expected_s": 300, "silent": false, "derived_power_w": -180});
    assert_eq!(answer["meters"], json!([meter]));
    assert_eq!(answer["buckets"][0]["known_seconds_import"], 1800);
}

/// A case of the crate as this command takes it.
fn document(case: &Value) -> String {
    let mut document = json!({"readings": case["readings"]});
    if let Some(home) = case.get("home") {
        document["home"] = home.clone();
    }
    document.to_string()
}

fn question<'a>(case: &'a Value, resolution: &'a str) -> Vec<&'a str> {
    let text = |value: &'a Value| value.as_str().unwrap();
    let [zone, from, to] = [&case["zone"], &case["range"][0], &case["range"][1]].map(text);
    vec!["--resolution", resolution, "--zone", zone, "--from", from, "--to", to]
}
