//! A device's time: RFC 3339, or an epoch number told apart by its size, in exact decimal arithmetic.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use wattline_reading::timestamp::FIRST_PLAUSIBLE;
use wattline_reading::{Decimal, Timestamp};

use crate::json::Json;
use crate::number::{decimal, is_full_register, shown};

/// A device's time as its payload gives it; what becomes of it is the route's policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DeviceTime {
    /// The payload has none, or a word for "no value".
    #[default]
    Absent,
    /// The device has no clock, or hasn't set it yet: 0, 1970.
    Unset,
    /// An instant.
    At(Timestamp),
    /// A local time without its zone.
    Local(NaiveDateTime),
    /// Something is there that is no time: its beginning.
    Unreadable(String),
}

// === impl DeviceTime ===

impl DeviceTime {
    /// From a JSON field: a number, or a text as in [`DeviceTime::from_text`].
    #[must_use]
    pub fn from_json(json: Option<&Json<'_>>) -> Self {
        match json {
            None | Some(Json::Null) => Self::Absent,
            Some(json) => match json.scalar() {
                Some(text) => Self::from_text(text),
                None => Self::Unreadable("a time that is no number and no text".to_owned()),
            },
        }
    }

    /// An epoch number by its size, RFC 3339, HTTP's `Fri, 20 Nov 2026 10:00:00 GMT`, or ISO 8601 without zone (with `T`, a
    /// space or `/` in the date).
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let text = text.trim();
        let Some(number) = decimal(text) else { return Self::Absent };
        let (local, zone_s) = match iso(text) {
            Some((time, zone_s)) => (Some(time), zone_s),
            None => match parse_epoch(&number).or_else(|| Timestamp::parse_rfc3339(text)) {
                Some(ts) => return Self::instant(ts),
                None => match DateTime::parse_from_rfc2822(text) {
                    Ok(time) => return Self::instant(Timestamp::from_micros(time.timestamp_micros())),
                    Err(_) => (local(text), None),
                },
            },
        };
        if let (Some(time), Some(zone_s)) = (local, zone_s) {
            let micros = time.and_utc().timestamp_micros() - zone_s * 1_000_000;
            return Self::instant(Timestamp::from_micros(micros));
        }
        match local {
            Some(local) if local.and_utc().timestamp_micros() < FIRST_PLAUSIBLE.micros() => Self::Unset,
            Some(local) => Self::Local(local),
            None => Self::Unreadable(shown(text)),
        }
    }

    /// An epoch number by its size, in the few digits that nearly all have.
    #[must_use]
    pub fn from_number(number: Decimal) -> Self {
        if is_full_register(number) {
            return Self::Absent;
        }
        short_epoch(number).map_or_else(|| Self::Unreadable("an epoch number".to_owned()), Self::instant)
    }

    /// An epoch number whose unit is 10^`exponent` s.
    #[must_use]
    pub fn from_epoch(text: &str, exponent: i32) -> Self {
        let text = text.trim();
        let Some(number) = decimal(text) else { return Self::Absent };
        match parse_decimal(&number) {
            Some((digits, own)) => {
                let micros = scale(digits, own.saturating_add(6 + exponent));
                Self::instant(Timestamp::from_micros(clamped(micros)))
            }
            None => Self::Unreadable(shown(text)),
        }
    }

    /// A meter's stamp `YYMMDDhhmmss` with the letter of its season behind or before it: `S`/`E` summer, `W`/`H`
    /// winter time in central Europe. Without a letter it is a local time.
    #[must_use]
    pub fn from_meter(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Absent;
        }
        let is_letter = |c: char| c.is_ascii_alphabetic();
        let season = text.chars().find(|c| is_letter(*c)).map(|c| c.to_ascii_uppercase());
        let digits = text.trim_matches(is_letter);
        if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Unreadable(shown(text));
        }
        let Ok(time) = NaiveDateTime::parse_from_str(&format!("20{digits}"), "%Y%m%d%H%M%S") else {
            // All zeros and the like: a meter whose clock was never set.
            return if digits.starts_with("00") { Self::Unset } else { Self::Unreadable(shown(text)) };
        };
        let hours = match season {
            Some('S' | 'E') => 2,
            Some('W' | 'H') => 1,
            None => return Self::Local(time),
            Some(_) => return Self::Unreadable(shown(text)),
        };
        Self::instant(Timestamp::from_micros(time.and_utc().timestamp_micros() - hours * 3_600_000_000))
    }

    fn instant(ts: Timestamp) -> Self {
        if ts >= FIRST_PLAUSIBLE { Self::At(ts) } else { Self::Unset }
    }
}

/// A date and time in ISO 8601, with what it says of its zone in s: `2026-11-20T11:00:00.5+0100`, also with a space
/// between, `/` in the date, or without seconds.
fn iso(text: &str) -> Option<(NaiveDateTime, Option<i64>)> {
    let bytes = text.as_bytes();
    let number = |from: usize, length: usize| {
        let digits = bytes.get(from..from + length)?;
        let value =
            |value: u32, digit: &u8| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'));
        digits.iter().try_fold(0, value)
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let separated = is(4, b"-/") && bytes.get(7) == bytes.get(4) && is(10, b"Tt ") && is(13, b":");
    if !separated {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 2)?, number(8, 2)?)?;
    let (second, mut at) = if is(16, b":") { (number(17, 2)?, 19) } else { (0, 16) };
    let mut nanos = 0;
    if is(at, b".,") {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Further ones are below a nanosecond.
        let kept = digits.min(9);
        nanos = number(at + 1, kept).filter(|_| digits > 0)? * 10_u32.pow(9 - u32::try_from(kept).ok()?);
        at += 1 + digits;
    }
    let time = date.and_hms_nano_opt(number(11, 2)?, number(14, 2)?, second, nanos)?;
    let zone = bytes.get(at..)?.trim_ascii_start();
    Some((time, if zone.is_empty() { None } else { Some(zone_s(zone)?) }))
}

/// `Z`, `UTC`, `+01:00`, `+0100`, `+01`, in s.
fn zone_s(zone: &[u8]) -> Option<i64> {
    let (sign, digits) = match zone {
        [b'Z' | b'z'] | b"UTC" | b"GMT" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let two = |tens: u8, ones: u8| Some(digit(tens)? * 10 + digit(ones)?);
    let (hours, minutes) = match *digits {
        [a, b] => (two(a, b)?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (two(a, b)?, two(c, d)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Other ways to write a local time.
fn local(text: &str) -> Option<NaiveDateTime> {
    // Firmwares write such dates before they know the time.
    if text.starts_with("0000-00-00") {
        return NaiveDate::from_ymd_opt(1970, 1, 1)?.and_hms_opt(0, 0, 0);
    }
    let formats = ["%d.%m.%Y %H:%M:%S", "%d-%m-%Y %H:%M:%S"];
    formats.into_iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

fn clamped(micros: i128) -> i64 {
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

/// An epoch number: below 10^11 seconds, 10^14 ms, 10^17 µs, else ns; cut to µs. In decimal, because a double
/// has no digits left for the µs of a time in ns.
#[must_use]
pub fn parse_epoch(text: &str) -> Option<Timestamp> {
    if let Some(ts) = Decimal::parse(text).and_then(short_epoch) {
        return Some(ts);
    }
    let (digits, exponent) = parse_decimal(text)?;
    let to_micros = micros_of_unit(scale(digits, exponent).unsigned_abs());
    let micros = scale(digits, exponent.saturating_add(to_micros));
    Some(Timestamp::from_micros(clamped(micros)))
}

/// Of a number below 10^18 there is always room for the µs.
fn short_epoch(number: Decimal) -> Option<Timestamp> {
    let to_micros = micros_of_unit(number.scaled_down(0)?.unsigned_abs().into());
    number.scaled_down(to_micros).map(Timestamp::from_micros)
}

/// The unit of an epoch number of this size, as a power of ten of µs.
const fn micros_of_unit(size: u128) -> i32 {
    match size {
        0..100_000_000_000 => 6,
        100_000_000_000..100_000_000_000_000 => 3,
        100_000_000_000_000..100_000_000_000_000_000 => 0,
        _ => -3,
    }
}

/// `-12.5e3` as (-125, 2): all its digits, and the power of ten.
fn parse_decimal(text: &str) -> Option<(i128, i32)> {
    const DIGITS_MAX: usize = 36;
    let (mantissa, exponent) = match text.bytes().position(|byte| matches!(byte, b'e' | b'E')) {
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
    let value = |part: &str| {
        // Nearly always so few that they have room in 64 bits, where arithmetic costs a fraction.
        let (first, rest) = part.as_bytes().split_at(part.len().min(19));
        let first = first.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        rest.iter().fold(i128::from(first), |value, digit| value * 10 + i128::from(digit - b'0'))
    };
    let power = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let size = value(unsigned) * power + value(fraction);
    let digits = if unsigned.len() < whole.len() { -size } else { size };
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

    #[test]
    fn a_devices_time_is_told_apart() {
        let at = |text: &str| DeviceTime::At(Timestamp::parse_rfc3339(text).unwrap());
        let local = |text: &str| DeviceTime::Local(text.parse().unwrap());
        for (text, expected) in [
            ("2026-11-20T11:00:00+0100", at("2026-11-20T10:00:00Z")),
            ("2026-11-20 10:00:00 UTC", at("2026-11-20T10:00:00Z")),
            ("Fri, 20 Nov 2026 10:00:00 GMT", at("2026-11-20T10:00:00Z")),
            ("2026-11-20T10:00:00Z", at("2026-11-20T10:00:00Z")),
            ("1795168800123", at("2026-11-20T10:00:00.123Z")),
            ("2026-11-20T11:00:00", local("2026-11-20T11:00:00")),
            ("2026-11-20 11:00:00.5", local("2026-11-20T11:00:00.5")),
            ("2026/11/20 11:00:00", local("2026-11-20T11:00:00")),
            ("2026-11-20T11:00", local("2026-11-20T11:00:00")),
            ("20.11.2026 11:00:00", local("2026-11-20T11:00:00")),
            ("2026-11-20 11:00:00 +0100", at("2026-11-20T10:00:00Z")),
            ("2026-11-20T11:00:00+01", at("2026-11-20T10:00:00Z")),
            ("2026-11-20T10:00:00.1234567891Z", at("2026-11-20T10:00:00.123456Z")),
            ("2016-12-31T23:59:60Z", at("2017-01-01T00:00:00Z")),
            ("2026-11-20T25:00:00Z", DeviceTime::Unreadable("`2026-11-20T25:00:00Z`".to_owned())),
            ("1970-01-01T00:03:12", DeviceTime::Unset),
            ("0000-00-00T00:00:00", DeviceTime::Unset),
            ("0", DeviceTime::Unset),
            ("", DeviceTime::Absent),
            ("yesterday", DeviceTime::Unreadable("`yesterday`".to_owned())),
        ] {
            assert_eq!(DeviceTime::from_text(text), expected, "{text}");
        }
        for (text, expected) in [
            ("261120110000W", at("2026-11-20T10:00:00Z")),
            ("260720120000S", at("2026-07-20T10:00:00Z")),
            ("E260720120000", at("2026-07-20T10:00:00Z")),
            ("h261120110000", at("2026-11-20T10:00:00Z")),
            ("261120110000", local("2026-11-20T11:00:00")),
            ("000000000000W", DeviceTime::Unset),
        ] {
            assert_eq!(DeviceTime::from_meter(text), expected, "{text}");
        }
        assert!(matches!(DeviceTime::from_meter("2611201100"), DeviceTime::Unreadable(_)));
        assert_eq!(DeviceTime::from_epoch("1795168800123", -3), at("2026-11-20T10:00:00.123Z"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_devices_time_without_a_panic(text in "\\PC{0,30}") {
            let _ = (DeviceTime::from_text(&text), DeviceTime::from_meter(&text), DeviceTime::from_epoch(&text, -3));
        }

        #[test]
        fn rfc_3339_is_read_as_a_library_reads_it(
            micros in 1_000_000_000_000_000_i64..250_000_000_000_000_000,
            digits in 0_usize..10,
            zone in -1439_i32..1440,
        ) {
            let time = Timestamp::from_micros(micros).to_chrono();
            let zone = chrono::FixedOffset::east_opt(zone * 60).unwrap();
            let text = time.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string();
            let fraction = if digits == 0 { String::new() } else { format!(".{:0digits$}", 7) };
            let text = format!("{text}{fraction}{zone}");
            let expected = Timestamp::parse_rfc3339(&text).unwrap();
            prop_assert_eq!(DeviceTime::from_text(&text), DeviceTime::At(expected));
        }

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
