//! Numbers as devices write them: JSON numbers, numbers in text, and the words for "no value".

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;
use wattline_reading::limits::{Refusal, refuse};
use wattline_reading::{Reason, register};

/// A measure in floating point, or no value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Number(pub Option<f64>);

/// Words that firmwares write where they have no value.
const NO_VALUE: [&str; 11] =
    ["", "nan", "none", "null", "unavailable", "unknown", "n/a", "na", "-", "--", "undefined"];

/// True for a firmware's word for "no value".
#[must_use]
pub fn is_no_value(text: &str) -> bool {
    NO_VALUE.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A device's number as decimal text with a point: a comma is one where it stands alone (`12,5`). None for a word
/// that says that there is no value.
#[must_use]
pub fn decimal(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_no_value(text) || text.eq_ignore_ascii_case("-nan") {
        return None;
    }
    if text.bytes().filter(|byte| *byte == b',').count() == 1 && !text.contains('.') {
        return Some(Cow::Owned(text.replace(',', ".")));
    }
    Some(Cow::Borrowed(text))
}

/// A register in Wh, read from its decimal text so that no digit is lost, in mWh. `name` is for the refusal.
///
/// # Errors
/// `malformed` where it is no number, `register_implausible` where it is one that no register holds.
pub fn register_wh(raw: Option<&RawValue>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    let text = decimal_text(raw.get(), name)?;
    if is_no_value(text) {
        return Ok(None);
    }
    if let Some(mwh) = register::parse_wh(text) {
        return Ok(Some(mwh));
    }
    let reason = if text.parse::<f64>().is_ok() { Reason::RegisterImplausible } else { Reason::Malformed };
    Err(refuse(reason, format!("{name}: {} is no register in Wh", shown(text))))
}

/// The characters of a JSON number, or of a text that should hold one.
///
/// # Errors
/// `malformed` for anything else.
pub fn decimal_text<'a>(json: &'a str, name: &str) -> Result<&'a str, Refusal> {
    let json = json.trim();
    let inner = match json.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => json.get(1..json.len() - 1),
        [b'-' | b'0'..=b'9', ..] => Some(json),
        _ => None,
    };
    inner
        .map(str::trim)
        .ok_or_else(|| refuse(Reason::Malformed, format!("{name}: {} is no number", shown(json))))
}

/// The beginning of a text, for a person.
#[must_use]
pub fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

// === impl Number ===

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(Some(value)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a measure beyond 2^53 is not plausible anyway")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(Some(value as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a measure beyond 2^53 is not plausible anyway")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(Some(value as f64)))
    }

    fn visit_unit<E: Error>(self) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        let text = text.trim();
        if is_no_value(text) {
            return Ok(Number(None));
        }
        let value = text.parse().map_err(|_| E::custom(format!("{} is no number", shown(text))))?;
        Ok(Number(Some(value)))
    }
}
