//! Registers in whole milliwatt-hours, from decimal text.
//!
//! Decimal arithmetic, half up: the same telegram must give the same integer in every decoder, or an equal
//! reading would become a conflict. kWh × 1000 in floats differs in the last bit.

use crate::Decimal;

/// Registers are kept within ±10^15 mWh (10^9 kWh): far above any meter, and every one of them is told apart as
/// k/1000 Wh in double precision.
pub const REGISTER_MWH_MAX: i64 = 1_000_000_000_000_000;

/// Decimal text in Wh (`1234567.0`, `1.5e3`) to mWh, half up. `None` where it is no finite decimal number or
/// is beyond [`REGISTER_MWH_MAX`].
#[must_use]
pub fn parse_wh(text: &str) -> Option<i64> {
    parse_scaled(text, 3)
}

/// Decimal text times 10^`exponent`, rounded half up to an integer.
#[must_use]
pub fn parse_scaled(text: &str, exponent: i32) -> Option<i64> {
    Decimal::parse(text).and_then(|decimal| of_decimal(decimal, exponent)).or_else(|| any(text, exponent))
}

/// A number in Wh in mWh, where nothing is to be rounded and it is within [`REGISTER_MWH_MAX`].
#[inline]
#[must_use]
pub fn of_wh(number: Decimal) -> Option<i64> {
    of_decimal(number, 3)
}

#[inline]
fn of_decimal(number: Decimal, exponent: i32) -> Option<i64> {
    number.scaled(exponent).filter(|mwh| mwh.abs() <= REGISTER_MWH_MAX)
}

fn any(text: &str, exponent: i32) -> Option<i64> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, own_exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let shift = exponent.checked_add(own_exponent)?;
    let digits = || whole.bytes().chain(fraction.bytes());
    if !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // The number is 0.DIGITS × 10^point.
    let point = i64::from(shift) + i64::try_from(whole.len()).ok()?;
    let mut value: i64 = 0;
    let mut index: i64 = 0;
    let mut round_up = false;
    for digit in digits() {
        if index < point {
            value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
            if value > REGISTER_MWH_MAX {
                return None;
            }
        } else if index == point {
            round_up = digit >= b'5';
            break;
        }
        index += 1;
    }
    // Digits that the text leaves out before the point are zeros; a zero stays zero however large the exponent.
    while index < point && value != 0 && !round_up {
        value = value.checked_mul(10)?;
        if value > REGISTER_MWH_MAX {
            return None;
        }
        index += 1;
    }
    let value = value + i64::from(round_up);
    Some(if negative { -value } else { value })
}

/// A register in Wh as the database and the APIs give it; always k/1000.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 mWh")]
pub fn to_wh(mwh: i64) -> f64 {
    mwh as f64 / 1000.0
}

/// Wh of the database back to whole mWh.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
pub fn from_wh(wh: f64) -> i64 {
    (wh * 1000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimal_text_becomes_whole_milliwatt_hours() {
        for (text, expected) in [
            ("1234567.0", Some(1_234_567_000)),
            ("0.0005", Some(1)),
            ("0.0004999", Some(0)),
            ("1.5e3", Some(1_500_000)),
            ("15E-1", Some(1500)),
            ("-0.2", Some(-200)),
            ("0e999999", Some(0)),
            ("1e999999", None),
            ("1e400", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1.2.3", None),
            ("NaN", None),
            ("0x10", None),
            ("1000000000001", None),
            ("1e-2147483648", Some(0)),
        ] {
            assert_eq!(parse_wh(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_register_survives_the_database(mwh in -REGISTER_MWH_MAX..=REGISTER_MWH_MAX) {
            prop_assert_eq!(from_wh(to_wh(mwh)), mwh);
        }

        #[test]
        fn text_of_any_shape_never_panics(text in "[-+]?[0-9]{0,30}(\\.[0-9]{0,30})?([eE][-+]?[0-9]{1,12})?") {
            let _ = parse_wh(&text);
        }

        #[test]
        fn the_short_way_and_the_long_way_agree(
            text in "[-+]?[0-9]{0,14}(\\.[0-9]{0,14})?[eE,x]?", exponent in -3..9,
        ) {
            prop_assert_eq!(parse_scaled(&text, exponent), super::any(&text, exponent));
        }

        #[test]
        fn thousandths_are_exact(mwh in 0..REGISTER_MWH_MAX) {
            prop_assert_eq!(parse_wh(&format!("{}.{:03}", mwh / 1000, mwh % 1000)), Some(mwh));
        }
    }
}
