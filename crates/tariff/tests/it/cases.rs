//! Cases in `test_data`: a complete input with the answer that it must give.
//!
//! Decimals agree by value, instants too, lists of lines by their names in any order, flags as sets, everything else to the
//! last digit. A null or an empty list may be left out; further keys of an answer don't matter.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::ask::{answer, refusals};

const NAMES: [&str; 8] =
    ["agreement", "version", "component", "band", "month", "currency", "percent", "start"];

#[test]
fn every_case_costs_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let expected = case.as_object_mut().unwrap().remove("expected").unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        match expected.get("errors") {
            Some(errors) => check_codes(&name, &case, errors),
            None => check(&name, &answer(&case), &expected),
        }
        count += 1;
    }
    assert!(count >= 20, "{count} cases");
}

fn check_codes(name: &str, case: &Value, errors: &Value) {
    let codes: BTreeSet<String> = refusals(&case.to_string()).into_iter().map(|(code, _)| code).collect();
    let word = |error: &Value| error.as_str().or(error["code"].as_str()).unwrap().to_owned();
    let expected: BTreeSet<String> = errors.as_array().unwrap().iter().map(word).collect();
    assert_eq!(codes, expected, "{name}");
}

fn check(place: &str, got: &Value, expected: &Value) {
    match expected {
        Value::Null => assert!(is_nothing(got), "{place}: {got} for nothing"),
        Value::Array(items) if items.is_empty() => assert!(is_nothing(got), "{place}: {got} for nothing"),
        Value::Array(items) => {
            let (mut items, mut own) = (items.clone(), got.as_array().cloned().unwrap_or_default());
            assert_eq!(own.len(), items.len(), "{place}: {got}");
            items.sort_by_key(name);
            own.sort_by_key(name);
            for (at, (own, item)) in own.iter().zip(&items).enumerate() {
                check(&format!("{place}[{at}]"), own, item);
            }
        }
        Value::Object(fields) => {
            for (key, expected) in fields {
                check(&format!("{place}.{key}"), &got[key], expected);
            }
        }
        _ => assert_eq!(scalar(got), scalar(expected), "{place}"),
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// What items of a list are told apart by; those of buckets and slots have no names but their time.
fn name(item: &Value) -> String {
    if item.is_object() {
        NAMES.iter().map(|key| format!("{}|", scalar(&item[key]))).collect()
    } else {
        scalar(item)
    }
}

/// As short as it can be written.
fn scalar(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_decimal = text.contains('.') && text.bytes().all(|byte| b"-.0123456789".contains(&byte));
    if is_decimal { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
