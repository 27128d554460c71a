//! Messages without one of their fields: which meter a reading is of doesn't depend on what happens to be there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Case, Decoded, Input, Memory, cases, input, judge};

/// Fields that say which meter it is, in letters and digits: without them it is another, or the device's own. `raw` is so in a
/// Teleinfo address, of which a document has masked a digit.
const WHO: [&str; 7] = ["meterid", "id", "name", "slaveid", "tags", "raw", "adco"];

/// A step to a field: its name, or the place of an array's item.
#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Item(usize),
}

/// Every field below a value.
fn paths(value: &Value, here: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let below: Vec<(Step, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (Step::Field(name.clone()), value)).collect()
        }
        Value::Array(items) => (0..).zip(items).map(|(at, value)| (Step::Item(at), value)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in below {
        let is_field = matches!(step, Step::Field(_));
        here.push(step);
        if is_field {
            found.push(here.clone());
        }
        paths(value, here, found);
        here.pop();
    }
}

/// The value without the field at the path's end.
fn without(value: &Value, path: &[Step]) -> Value {
    let mut whole = value.clone();
    let mut at = &mut whole;
    for step in &path[..path.len() - 1] {
        at = match step {
            Step::Field(name) => &mut at[name],
            Step::Item(index) => &mut at[index],
        };
    }
    if let (Value::Object(fields), Some(Step::Field(name))) = (at, path.last()) {
        fields.remove(name);
    }
    whole
}

fn says_who(path: &[Step]) -> bool {
    let Some(Step::Field(name)) = path.last() else { return false };
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    WHO.contains(&letters.to_ascii_lowercase().as_str())
}

fn meters(case: &Case, payload: &[u8]) -> BTreeSet<String> {
    let decoded = judge(case).decide(&Input { payload, ..input(case) }, &mut Memory::default(), |_| {});
    let Decoded::Readings(readings) = decoded else { return BTreeSet::new() };
    readings.into_iter().map(|reading| reading.meter_id).collect()
}

#[test]
fn a_message_without_one_of_its_fields_is_of_the_same_meters() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in cases() {
        let Ok(json) = serde_json::from_slice::<Value>(&case.payload) else { continue };
        let known = meters(&case, &case.payload);
        let mut found = Vec::new();
        paths(&json, &mut Vec::new(), &mut found);
        for path in found.iter().filter(|path| !known.is_empty() && !says_who(path)) {
            seen += 1;
            let part = meters(&case, without(&json, path).to_string().as_bytes());
            if !part.is_subset(&known) {
                wrong.push(format!("{} {} without {path:?}: {part:?} of {known:?}", case.file, case.topic));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen >= 1500, "{seen} fields");
}
