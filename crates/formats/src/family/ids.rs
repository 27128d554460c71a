//! The meter's own id in a payload, for families whose fields are named by their users.

use super::prelude::*;

/// In the order in which they count. Compared without case and punctuation.
const KEYS: &[&str] = &[
    "meterid",
    "deviceid",
    "sensorid",
    "serialnumber",
    "serial",
    "sn",
    "deveui",
    // Only one that can't be a count of messages.
    "id",
    "meter",
    "device",
];

/// What a payload says of its meter; a word for "no value" is none.
pub(super) fn of(object: &Json<'_>) -> Option<String> {
    KEYS.iter().find_map(|key| value(object, key))
}

/// What tells the items of an array apart that have no id.
pub(super) fn name_of(object: &Json<'_>) -> Option<String> {
    value(object, "name")
}

fn value(object: &Json<'_>, key: &str) -> Option<String> {
    let same = |name: &str| {
        let letters = name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
        letters.eq(key.bytes())
    };
    let (_, value) = object.fields().iter().rev().find(|(name, _)| same(name))?;
    let may_be =
        |text: &&str| key != "id" || text.len() >= 8 || !text.bytes().all(|byte| byte.is_ascii_digit());
    let text = value.scalar().filter(|text| !crate::number::is_no_value(text));
    text.filter(may_be).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_every_spelling_and_only_where_they_are_one() {
        for (json, id) in [
            (r#"{"device_id":"a"}"#, Some("a")),
            (r#"{"DeviceID":"a"}"#, Some("a")),
            (r#"{"MeterId":"7E16","device_id":"a"}"#, Some("7E16")),
            (r#"{"sn":123}"#, Some("123")),
            (r#"{"meter":"amiplus","id":"11111111"}"#, Some("11111111")),
            (r#"{"id":5021}"#, None),
            (r#"{"id":"5021"}"#, None),
            (r#"{"id":"sdm-1"}"#, Some("sdm-1")),
            (r#"{"id":5021,"meter":7}"#, Some("7")),
            (r#"{"device_id":""}"#, None),
            (r#"{"device_id":"None","serial":"x"}"#, Some("x")),
            (r#"{"device_id":null}"#, None),
            (r#"{"device":{"id":"a"}}"#, None),
            (r#"{"video":"a"}"#, None),
        ] {
            assert_eq!(of(&Json::parse(json.as_bytes()).unwrap()).as_deref(), id, "{json}");
        }
    }
}
