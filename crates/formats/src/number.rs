//! Numbers as devices write them: JSON numbers, numbers in text, and the words for "no value".

use std::borrow::Cow;

use wattline_reading::Decimal;

/// Words that firmwares write where they have no value.
const NO_VALUE: [&str; 21] = [
    "",
    "nan",
    "-nan",
    "none",
    "null",
    "unavailable",
    "unknown",
    "n/a",
    "na",
    "#n/a",
    "-",
    "--",
    "---",
    "undefined",
    "nil",
    "<nil>",
    "<null>",
    "(null)",
    "<no value>",
    "nan(ind)",
    "-nan(ind)",
];
/// Full registers, all bits of a signed or unsigned one: what Modbus and Zigbee devices have where there is nothing. In a
/// home no meter stands there.
const FULL: [&str; 5] =
    ["2147483647", "4294967295", "281474976710655", "9223372036854775807", "18446744073709551615"];

/// The lowest values of signed registers, for which there is no other use: Zigbee's of 24 bits, SunSpec's of 32.
const LOWEST: [&str; 3] = ["-8388608", "-2147483648", "-9223372036854775808"];

/// True for a firmware's word for "no value".
pub(crate) fn is_no_value(text: &str) -> bool {
    // Nearly always it is a number.
    if text.as_bytes().iter().take(2).any(u8::is_ascii_digit) {
        return (text.len() >= LOWEST[0].len() && is_full(text))
            || text.ends_with("#QNAN")
            || text.ends_with("#IND");
    }
    NO_VALUE.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// True for a full register, wherever its point is.
pub(crate) fn is_full_register(number: Decimal) -> bool {
    const FULL: [u64; 3] = [0x7fff_ffff, 0xffff_ffff, 0xffff_ffff_ffff];
    number.unsigned_digits().is_some_and(|digits| FULL.contains(&digits))
}

/// The same of a text, also of one with more digits.
fn is_full(text: &str) -> bool {
    let digits = || text.bytes().filter(|byte| !matches!(byte, b'.' | b','));
    FULL.iter().chain(&LOWEST).any(|full| digits().eq(full.bytes()))
}

/// A device's number as decimal text with a point: a comma is one where it stands alone (`12,5`), but for
/// `1,234`, which is more than a thousand or less than two: it stays as it is, and is no number. None for a word that
/// says that there is no value.
#[must_use]
pub fn decimal(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_no_value(text) {
        return None;
    }
    let comma = text.bytes().position(|byte| byte == b',');
    match comma.map(|at| (&text[..at], &text[at + 1..])) {
        Some((whole, fraction))
            if !text.contains('.') && !fraction.contains(',') && !may_be_thousands(whole, fraction) =>
        {
            Some(Cow::Owned(format!("{whole}.{fraction}")))
        }
        _ => Some(Cow::Borrowed(text)),
    }
}

fn may_be_thousands(whole: &str, fraction: &str) -> bool {
    let digits = whole.trim_start_matches(['+', '-']);
    fraction.len() == 3 && (1..=3).contains(&digits.len()) && !digits.starts_with('0')
}

/// A device's number; none where it says that there is none, or is no number.
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    let text = decimal(text)?;
    Decimal::parse(&text).and_then(Decimal::to_f64).or_else(|| text.parse().ok())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_devices_write_them() {
        for (text, decimal_text) in [
            ("12.5", Some("12.5")),
            (" 12 ", Some("12")),
            ("12,5", Some("12.5")),
            ("0,123", Some("0.123")),
            ("-0,123", Some("-0.123")),
            ("1234,567", Some("1234.567")),
            // Thousands or decimals: nobody knows.
            ("1,234", Some("1,234")),
            ("-12,345", Some("-12,345")),
            ("1,234.5", Some("1,234.5")),
            ("NaN", None),
            ("<nil>", None),
            ("-inf", Some("-inf")),
            ("1.#QNAN", None),
            ("-1.#IND", None),
            ("21474836.47", None),
            ("4294967295", None),
            ("42949672.95", None),
            ("-8388608", None),
            ("-8388.608", None),
            ("-21474836.48", None),
            ("8388608", Some("8388608")),
            ("21474836.48", Some("21474836.48")),
        ] {
            assert_eq!(decimal(text).as_deref(), decimal_text, "{text}");
        }
        assert_eq!((number("1,234"), number("x")), (None, None));
    }
}
