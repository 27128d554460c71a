//! Numbers as devices write them: JSON numbers, numbers in text, and the words for "no value".

use std::borrow::Cow;

/// Words that firmwares write where they have no value.
const NO_VALUE: [&str; 11] =
    ["", "nan", "none", "null", "unavailable", "unknown", "n/a", "na", "-", "--", "undefined"];

/// True for a firmware's word for "no value".
fn is_no_value(text: &str) -> bool {
    // Nearly always it is a number.
    if text.as_bytes().iter().take(2).any(u8::is_ascii_digit) {
        return false;
    }
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
    match text.split_once(',') {
        Some((whole, fraction)) if !text.contains('.') && !fraction.contains(',') => {
            Some(Cow::Owned(format!("{whole}.{fraction}")))
        }
        _ => Some(Cow::Borrowed(text)),
    }
}

/// A device's number; none where it says that there is none, or is no number.
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    decimal(text)?.parse().ok()
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
