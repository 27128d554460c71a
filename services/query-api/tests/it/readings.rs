//! Promise: readings come in pages that meet, forward and backward, with every measure as it was stored.

use chrono::TimeDelta;
use serde_json::{Value, json};
use wattline_reading::{Measures, Phase, Reading};

use crate::fixture::{minutes_ago, reading, run};

const PAGE: &str = "query($meter: ID!, $from: DateTime, $to: DateTime, $first: Int, $after: String, $last: Int, $before: String) {
    meter(id: $meter) { readings(from: $from, to: $to, first: $first, after: $after, last: $last, before: $before) {
        nodes { powerW }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } }
}";

fn powers(page: &Value) -> Vec<i64> {
    let nodes = page["meter"]["readings"]["nodes"].as_array().unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    nodes.iter().map(|node| node["powerW"].as_f64().unwrap() as i64).collect()
}

fn flags(page: &Value) -> (bool, bool) {
    let info = &page["meter"]["readings"]["pageInfo"];
    (info["hasPreviousPage"].as_bool().unwrap(), info["hasNextPage"].as_bool().unwrap())
}

fn cursor<'a>(page: &'a Value, name: &str) -> &'a Value {
    &page["meter"]["readings"]["pageInfo"][name]
}

#[test]
fn pages_meet_in_both_directions() {
    run(async |env| {
        let begin = minutes_ago(30);
        let rows: Vec<_> = (0..10)
            .map(|index| {
                reading(
                    "reading-pages",
                    begin + TimeDelta::seconds(index * 10),
                    f64::from(i32::try_from(index).unwrap()),
                )
            })
            .collect();
        env.store(&rows, None).await;
        let page = |variables: Value| async move { env.api.data(PAGE, variables).await };

        let first = page(json!({"meter": "reading-pages", "first": 4})).await;
        assert_eq!((powers(&first), flags(&first)), (vec![0, 1, 2, 3], (false, true)));
        let second =
            page(json!({"meter": "reading-pages", "first": 4, "after": cursor(&first, "endCursor")})).await;
        assert_eq!((powers(&second), flags(&second)), (vec![4, 5, 6, 7], (true, true)));
        let third =
            page(json!({"meter": "reading-pages", "first": 4, "after": cursor(&second, "endCursor")})).await;
        assert_eq!((powers(&third), flags(&third)), (vec![8, 9], (true, false)));

        let last = page(json!({"meter": "reading-pages", "last": 4})).await;
        assert_eq!((powers(&last), flags(&last)), (vec![6, 7, 8, 9], (true, false)));
        let back =
            page(json!({"meter": "reading-pages", "last": 7, "before": cursor(&last, "startCursor")})).await;
        assert_eq!((powers(&back), flags(&back)), (vec![0, 1, 2, 3, 4, 5], (false, true)));

        let range = json!({"meter": "reading-pages", "from": begin + TimeDelta::seconds(20), "to": begin + TimeDelta::seconds(50), "first": 100});
        let range = page(range).await;
        assert_eq!((powers(&range), flags(&range)), (vec![2, 3, 4], (false, false)), "half-open");
        let inside = json!({"meter": "reading-pages", "from": begin + TimeDelta::seconds(50), "first": 2, "after": cursor(&first, "startCursor")});
        let inside = page(inside).await;
        assert_eq!(
            (powers(&inside), flags(&inside)),
            (vec![5, 6], (false, true)),
            "nothing of the range lies before"
        );
    });
}

#[test]
fn every_measure_comes_as_it_was_stored() {
    run(async |env| {
        let phase = |power_w| Phase { power_w, voltage_v: Some(230.1), current_a: None };
        let measures = Measures {
            power_w: Some(-12.5),
            energy_import_mwh: Some(1_234_567_891),
            energy_export_mwh: Some(0),
            voltage_v: Some(230.4),
            current_a: Some(1.9),
            power_factor: Some(-0.98),
            frequency_hz: Some(50.01),
            soc_pct: Some(63.5),
            phases: vec![phase(Some(1.0)), phase(None), phase(Some(-3.0))],
        };
        let row = Reading { measures, ..reading("whole", minutes_ago(3), 0.0) };
        env.store(&[row], None).await;
        let text = "{ meter(id: \"whole\") { latest { ts tsSource powerW energyImportWh energyExportWh voltageV currentA
            powerFactor frequencyHz socPct registerEpoch phases { powerW voltageV currentA } } } }";
        let latest = env.api.data(text, json!({})).await["meter"]["latest"].take();
        let expected = json!({
            "ts": minutes_ago(3), "tsSource": "DEVICE", "powerW": -12.5, "energyImportWh": 1_234_567.891,
            "energyExportWh": 0.0, "voltageV": 230.4, "currentA": 1.9, "powerFactor": -0.98, "frequencyHz": 50.01,
            "socPct": 63.5,
            "registerEpoch": null, "phases": [
                {"powerW": 1.0, "voltageV": 230.1, "currentA": null},
                {"powerW": null, "voltageV": 230.1, "currentA": null},
                {"powerW": -3.0, "voltageV": 230.1, "currentA": null}
            ]
        });
        let time =
            |value: &Value| chrono::DateTime::parse_from_rfc3339(value["ts"].as_str().unwrap()).unwrap();
        assert_eq!(time(&latest), time(&expected));
        for (name, value) in expected.as_object().unwrap().iter().filter(|(name, _)| *name != "ts") {
            assert_eq!(&latest[name], value, "{name}");
        }
    });
}
