//! Questions as JSON, and their answers.

use serde_json::Value;
use wattline_tariff::{Format, print};

/// The answer of an input that is taken.
pub(crate) fn answer(input: &Value) -> Value {
    match print(&input.to_string(), Format::Json, false) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(text) => panic!("refused: {text}"),
    }
}

/// The refusals of an input that is not: words and places.
pub(crate) fn refusals(input: &str) -> Vec<(String, String)> {
    let text = match print(input, Format::Json, false) {
        Ok(text) => panic!("taken: {text}"),
        Err(text) => text,
    };
    let errors: Value = serde_json::from_str(&text).unwrap();
    let word = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    let errors = errors["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| !word(error, "cure").is_empty()), "{text}");
    errors.iter().map(|error| (word(error, "code"), word(error, "where"))).collect()
}

/// An amount as whole millionths.
pub(crate) fn micro(value: &Value) -> i128 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no amount"));
    let (whole, part) = text.split_once('.').unwrap();
    assert_eq!(part.len(), 6, "{text}");
    format!("{whole}{part}").parse().unwrap()
}

/// The amount of all, in the only currency.
pub(crate) fn total(answer: &Value) -> &str {
    let amounts = answer["total"]["amounts"].as_array().unwrap();
    assert_eq!(amounts.len(), 1, "{amounts:?}");
    amounts[0]["amount"].as_str().unwrap_or("unknown")
}
