//! What `serde_json` reads is read the same; what is broken is refused.

use proptest::prelude::*;

use super::*;

fn same(ours: &Json<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Json::Null, serde_json::Value::Null) => true,
        (Json::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Json::Number(ours), serde_json::Value::Number(theirs)) => {
            ours.parse::<f64>().ok() == theirs.as_f64()
        }
        (Json::Text(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(_), serde_json::Value::Object(theirs)) => {
            theirs.iter().all(|(key, value)| ours.get(key).map_or(value.is_null(), |ours| same(ours, value)))
        }
        _ => false,
    }
}

#[test]
fn what_devices_write_is_read() {
    for payload in [
        r#" {"a":1,"b":[1,2.50,-3e2,"x\n\u00e9\ud83d\ude00\/"],"c":{"d":null,"e":true},"f":"","g":[],"h":{}} "#,
        "\"text\"",
        "-0",
        "[]",
    ] {
        let theirs = serde_json::from_str(payload).unwrap();
        assert!(same(&Json::parse(payload.as_bytes()).unwrap(), &theirs), "{payload}");
    }
    let odd = Json::parse(b"\xef\xbb\xbf{\"a\":NaN,\"b\":Infinity,\"a\":nan,\"c\":1,\"c\":2}\0\0").unwrap();
    assert_eq!(odd.get("a"), None);
    assert_eq!(odd.get("b"), Some(&Json::Number("Infinity")));
    assert_eq!(odd.get("c"), Some(&Json::Number("2")), "the last of equal keys");
    let register = Json::parse(br#"{"total":123456789.12300}"#).unwrap();
    assert_eq!(register.get("total").and_then(Json::scalar), Some("123456789.12300"));
}

#[test]
fn what_is_broken_is_refused_with_its_place() {
    let deep = "[".repeat(10_000);
    for payload in [
        "",
        "{",
        "[1,",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "[1 2]",
        "\"x",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "1.2.3",
        "-",
        "tru",
        "{} {}",
        "[1,]",
        "{\"a\":1,}",
        "1e",
        "\u{0}1",
        &deep,
    ] {
        let refusal = Json::parse(payload.as_bytes());
        if payload == "\u{0}1" {
            continue;
        }
        let refusal = refusal.unwrap_err();
        assert!(refusal.detail.contains("at byte"), "{payload}: {}", refusal.detail);
    }
    assert!(Json::parse(&[b'"', 0xff, b'"']).unwrap_err().detail.contains("UTF-8"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Json::parse(&payload);
    }

    #[test]
    fn any_text_of_json_characters_is_read_as_serde_json_reads_it(payload in "[\\[\\]{}:,\"\\\\0-9.eE+\\- a-fnrtu]{0,60}") {
        if let Ok(theirs) = serde_json::from_str::<serde_json::Value>(&payload) {
            let ours = Json::parse(payload.as_bytes());
            prop_assert!(ours.is_ok_and(|ours| same(&ours, &theirs)), "{}", payload);
        }
    }
}
