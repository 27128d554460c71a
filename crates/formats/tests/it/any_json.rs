//! JSON that a library writes is read as it was; a decoder that knows what it looks for sees the same as the tree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use wattline_formats::json::{Json, Number, Reader, Scalar};

/// Any value, a few levels deep.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e12_f64..1e12).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[\\x00-\\x20\"\\\\/\\u{e000}\\u{1f600}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..6)
                .prop_map(|fields: BTreeMap<String, Value>| fields.into_iter().collect()),
        ]
    })
}

/// By the language's own parser: the library's is not exact in the last bit.
fn number(text: &str) -> Value {
    let whole = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
    whole.unwrap_or_else(|_| json!(text.parse::<f64>().unwrap()))
}

fn back(json: &Json<'_>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => json!(value),
        Json::Number(text) => number(text),
        Json::Text(text) => json!(text),
        Json::Array(items) => items.iter().map(back).collect(),
        Json::Object(fields) => fields.iter().map(|(name, value)| (name.to_string(), back(value))).collect(),
    }
}

proptest! {
    #[test]
    fn what_a_library_writes_is_read_as_it_was(value in value()) {
        for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            prop_assert_eq!(back(&Json::parse(text.as_bytes()).unwrap()), value.clone(), "{}", text);
        }
    }

    /// Cut anywhere, it is refused, with the place, and never taken for a shorter value.
    #[test]
    fn what_is_cut_is_refused(fields in prop::collection::btree_map("[a-z]{1,4}", value(), 1..4)) {
        let text = serde_json::to_string(&fields.into_iter().collect::<Value>()).unwrap();
        for end in (1..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let refusal = Json::parse(&text.as_bytes()[..end]).unwrap_err();
            prop_assert!(refusal.detail.contains("at byte"), "{}", refusal.detail);
        }
    }

    /// Field by field, without a tree: the same names, in the same order, and the same scalars.
    #[test]
    fn a_reader_sees_what_the_tree_has(fields in prop::collection::btree_map("\\PC{0,6}", value(), 0..8)) {
        let text = serde_json::to_string(&fields.into_iter().collect::<Value>()).unwrap();
        let tree = Json::parse(text.as_bytes()).unwrap();
        let mut reader = Reader::new(&text);
        let mut seen = Vec::new();
        reader
            .object(|name, reader| {
                let scalar = reader.scalar()?;
                if let Scalar::Number(Number { text, short: Some(short) }) = scalar {
                    assert_eq!(short.to_f64(), text.parse().ok().filter(|_| short.to_f64().is_some()));
                }
                seen.push((name.to_string(), characters(scalar)));
                Ok(())
            })
            .unwrap();
        reader.end().unwrap();
        let expected: Vec<_> = tree
            .fields()
            .iter()
            .map(|(name, value)| {
                let scalar = match value {
                    Json::Null => Scalar::Null,
                    Json::Number(text) => Scalar::Number(Number { text, short: None }),
                    Json::Text(text) => Scalar::Text(text.clone()),
                    Json::Bool(_) | Json::Array(_) | Json::Object(_) => Scalar::Other,
                };
                (name.to_string(), scalar)
            })
            .collect();
        prop_assert_eq!(seen, expected);
    }

    /// A number's characters are kept: registers are read from them.
    #[test]
    fn numbers_keep_their_characters(text in "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][-+]?[0-9]{1,3})?") {
        let payload = format!(" [ {text} , {{\"v\" : {text}}} ] ");
        let json = Json::parse(payload.as_bytes()).unwrap();
        prop_assert_eq!(json.items()[0].scalar(), Some(text.as_str()));
        prop_assert_eq!(json.items()[1].get("v").and_then(Json::scalar), Some(text.as_str()));
    }
}

/// What the tree keeps of a scalar too.
fn characters(scalar: Scalar<'_>) -> Scalar<'_> {
    match scalar {
        Scalar::Number(Number { text, short: _ }) => Scalar::Number(Number { text, short: None }),
        other => other,
    }
}

#[test]
fn values_of_another_kind_give_nothing() {
    let json = Json::parse(br#"{"a":[1,"x"],"b":{"c":null},"d":" 5 ","e":true}"#).unwrap();
    assert_eq!(json.get("b").and_then(|inner| inner.get("c")), None, "null is as if it were not there");
    assert_eq!(json.get("a").map(|list| list.items().len()), Some(2));
    assert_eq!(json.get("d").map(Json::items), Some(&[][..]));
    assert_eq!(json.get("d").and_then(Json::scalar), Some("5"), "a scalar is trimmed");
    assert_eq!(json.get("d").and_then(Json::text), Some(" 5 "), "a text is not");
    assert_eq!(json.get("e").and_then(Json::scalar), None);
    assert_eq!(json.get("a").and_then(|list| list.get("a")), None);
    assert!(json.items().is_empty() && json.scalar().is_none() && json.is_object());
    assert!(json.get("a").is_some_and(|list| list.fields().is_empty()));
}
