//! A device's time: RFC 3339, or an epoch number told apart by its size, in exact decimal arithmetic.

use serde_json::value::RawValue;
use wattline_reading::limits::{Refusal, refuse};
use wattline_reading::timestamp::FIRST_PLAUSIBLE;
use wattline_reading::{Reason, Timestamp};

use super::number::{is_no_value, shown};

/// The device's time in a JSON field; none where the device has no clock: no field, no value, or an instant
/// before 2001-09-09T01:46:40Z (0 and 1970 are what devices send before they know the time).
///
/// # Errors
/// `ts_unreadable` where something is there that is no time.
pub fn device_time(raw: Option<&RawValue>) -> Result<Option<Timestamp>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    let json = raw.get().trim();
    let text = match json.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => &json[1..json.len() - 1],
        [b'-' | b'0'..=b'9', ..] => json,
        _ => return Err(unreadable(json)),
    };
    let text = text.trim();
    if is_no_value(text) {
        return Ok(None);
    }
    let ts = parse_epoch(text).or_else(|| Timestamp::parse_rfc3339(text)).ok_or_else(|| unreadable(text))?;
    Ok((ts >= FIRST_PLAUSIBLE).then_some(ts))
}

/// An epoch number: below 10^11 seconds, 10^14 ms, 10^17 µs, else ns; cut to µs. In decimal, because a double
/// has no digits left for the µs of a time in ns.
#[must_use]
pub fn parse_epoch(text: &str) -> Option<Timestamp> {
    let (digits, exponent) = parse_decimal(text)?;
    let size = scale(digits, exponent).unsigned_abs();
    let to_micros = match size {
        0..100_000_000_000 => 6,
        100_000_000_000..100_000_000_000_000 => 3,
        100_000_000_000_000..100_000_000_000_000_000 => 0,
        _ => -3,
    };
    let micros = scale(digits, exponent.saturating_add(to_micros));
    let micros = i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX });
    Some(Timestamp::from_micros(micros))
}

/// `-12.5e3` as (-125, 2): all its digits, and the power of ten.
fn parse_decimal(text: &str) -> Option<(i128, i32)> {
    const DIGITS_MAX: usize = 36;
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if unsigned.is_empty() || !all_digits(unsigned) || !all_digits(fraction) || unsigned.len() > DIGITS_MAX {
        return None;
    }
    // Digits of the fraction beyond these are below 10^-36 of the number: they can't change the µs.
    let fraction = &fraction[..fraction.len().min(DIGITS_MAX - unsigned.len())];
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    Some((digits, exponent))
}

/// floor(digits × 10^exponent), held at the bounds of the type.
fn scale(digits: i128, exponent: i32) -> i128 {
    let power = 10_i128.checked_pow(exponent.unsigned_abs());
    match (exponent >= 0, power) {
        (true, Some(power)) => digits.saturating_mul(power),
        (true, None) => digits.saturating_mul(i128::MAX),
        (false, Some(power)) => digits.div_euclid(power),
        (false, None) => digits.signum().min(0),
    }
}

fn unreadable(text: &str) -> Refusal {
    let detail = format!(
        "ts: {} is no time: write RFC 3339 with its zone, or an epoch number in s, ms, µs or ns",
        shown(text)
    );
    refuse(Reason::TsUnreadable, detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epoch_us(text: &str) -> Option<i64> {
        parse_epoch(text).map(Timestamp::micros)
    }

    #[test]
    fn an_epoch_number_is_exact_to_the_microsecond() {
        for (text, expected) in [
            ("1795168800", 1_795_168_800_000_000),
            ("1795168800.123456", 1_795_168_800_123_456),
            ("1795168800123", 1_795_168_800_123_000),
            ("1795168800123.456", 1_795_168_800_123_456),
            ("1795168800123456", 1_795_168_800_123_456),
            ("1795168800123456999", 1_795_168_800_123_456),
            ("1795168800000001000", 1_795_168_800_000_001),
            ("1.795168800e9", 1_795_168_800_000_000),
            ("0", 0),
            ("-1.5", -1_500_000),
            ("99999999999", 99_999_999_999_000_000),
        ] {
            assert_eq!(epoch_us(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_no_epoch() {
        for text in ["", "-", ".", "1.2.3", "2026-11-20", "12:00", "0x10", "1e", "inf", "+1", "１"] {
            assert_eq!(epoch_us(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[-+.eE0-9]{0,60}") {
            let _ = parse_epoch(&text);
        }

        #[test]
        fn the_four_units_say_the_same_instant(seconds in 1_000_000_000_i64..4_000_000_000, micros in 0_i64..1_000_000) {
            let expected = Some(seconds * 1_000_000 + micros);
            prop_assert_eq!(epoch_us(&format!("{seconds}.{micros:06}")), expected);
            prop_assert_eq!(epoch_us(&format!("{seconds}{:03}.{:03}", micros / 1000, micros % 1000)), expected);
            prop_assert_eq!(epoch_us(&format!("{seconds}{micros:06}")), expected);
            prop_assert_eq!(epoch_us(&format!("{seconds}{micros:06}999")), expected);
        }
    }
}
