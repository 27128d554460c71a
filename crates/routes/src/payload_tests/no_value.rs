//! Topics of one value: what says that there is none is one thing for every family.

use std::collections::{BTreeMap, BTreeSet};

use wattline_formats::Ignored;

use super::{Case, Decoded, Input, Memory, cases, input, judge};

/// What firmwares and bridges write there.
const NO_VALUE: [&str; 20] = [
    "{\"value\":null}",
    "{\"value\":\"nan\"}",
    "{\"value\":\"\"}",
    "{\"value\":[]}",
    "{\"value\":{}}",
    "{}",
    "[]",
    "[null]",
    "null",
    "\"\"",
    "unavailable",
    "\"unavailable\"",
    "unknown",
    "nan",
    "\"nan\"",
    "NaN",
    "None",
    "<nil>",
    "-",
    "1.#QNAN",
];

/// Bare, or in an object of its own.
fn is_of_one_value(case: &Case) -> bool {
    let Ok(text) = std::str::from_utf8(&case.payload) else { return false };
    let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let value = json.as_ref().map(|json| json.get("value").unwrap_or(json));
    text.trim().parse::<f64>().is_ok() || value.is_some_and(serde_json::Value::is_number)
}

#[test]
fn no_value_on_a_topic_of_one_value_is_ignored_by_one_word() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| is_of_one_value(case)) {
        let judge = judge(case);
        let decide =
            |payload: &[u8]| judge.decide(&Input { payload, ..input(case) }, &mut Memory::default(), |_| {});
        if !matches!(decide(&case.payload), Decoded::Readings(_)) {
            continue;
        }
        seen.entry(case.file.clone()).or_default().insert(case.topic.clone());
        for payload in NO_VALUE {
            let decoded = decide(payload.as_bytes());
            if decoded != Decoded::Ignore(Ignored::NoValue) {
                wrong.push(format!("{} {} {payload}: {decoded:?}", case.file, case.topic));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let topics: usize = seen.values().map(BTreeSet::len).sum();
    assert!(seen.len() >= 13 && topics >= 80, "{topics} topics of {:?}", seen.keys());
}
