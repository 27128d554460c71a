//! Registers in decimal arithmetic, against the same by long multiplication on lists of digits.

use proptest::prelude::*;
use wattline_reading::register::{REGISTER_MWH_MAX, from_wh, parse_scaled, parse_wh, to_wh};

/// `mantissa` × 10^`shift`, half away from zero, digit by digit; none beyond the bound.
fn oracle(whole: &str, fraction: &str, shift: i32) -> Option<i64> {
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
    // Where the point is, counted from the left.
    let mut point = i32::try_from(whole.len()).unwrap() + shift;
    while point < 0 {
        digits.insert(0, 0);
        point += 1;
    }
    let point = usize::try_from(point).unwrap();
    while digits.len() < point + 1 {
        digits.push(0);
    }
    let mut value: i128 = 0;
    for digit in &digits[..point] {
        value = value.checked_mul(10)?.checked_add(i128::from(*digit))?;
        if value > i128::from(REGISTER_MWH_MAX) {
            return None;
        }
    }
    value += i128::from(digits[point] >= 5);
    i64::try_from(value).ok()
}

proptest! {
    #[test]
    fn any_decimal_number_is_what_the_digits_say(
        whole in "[0-9]{0,20}",
        fraction in "[0-9]{0,20}",
        negative in any::<bool>(),
        plus in any::<bool>(),
        exponent in -25_i32..25,
        scale in -6_i32..10,
        upper in any::<bool>(),
    ) {
        prop_assume!(!whole.is_empty() || !fraction.is_empty());
        let sign = if negative { "-" } else if plus { "+" } else { "" };
        let e = if upper { 'E' } else { 'e' };
        let text = format!("{sign}{whole}.{fraction}{e}{exponent}");
        let expected = oracle(&whole, &fraction, exponent + scale).map(|value| if negative { -value } else { value });
        prop_assert_eq!(parse_scaled(&text, scale), expected, "{} × 10^{}", text, scale);
    }

    /// The same number in other words is the same register, in every decoder.
    #[test]
    fn spellings_of_a_number_agree(wh in 0_u64..1_000_000_000, thousandths in 0_u32..1000) {
        let plain = parse_wh(&format!("{wh}.{thousandths:03}")).unwrap();
        for text in [
            format!("{wh}.{thousandths:03}000"),
            format!("000{wh}.{thousandths:03}"),
            format!("+{wh}.{thousandths:03}"),
            format!("{wh}{thousandths:03}e-3"),
            format!("{wh}{thousandths:03}00E-5"),
        ] {
            prop_assert_eq!(parse_wh(&text), Some(plain), "{}", text);
        }
        prop_assert_eq!(parse_scaled(&format!("{wh}{thousandths:03}"), 0), Some(plain));
    }

    /// A larger number is never a smaller register.
    #[test]
    fn order_is_kept(a in 0.0_f64..1e9, b in 0.0_f64..1e9) {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        prop_assert!(parse_wh(&low.to_string()) <= parse_wh(&high.to_string()));
    }

    /// What the database gives as a double is the same whole number, and text of it too.
    #[test]
    fn the_database_and_its_text_lose_nothing(mwh in -REGISTER_MWH_MAX..=REGISTER_MWH_MAX) {
        prop_assert_eq!(from_wh(to_wh(mwh)), mwh);
        prop_assert_eq!(parse_wh(&to_wh(mwh).to_string()), Some(mwh));
    }

    #[test]
    fn what_is_no_number_is_none(text in "[a-zA-Z ,:/]{1,12}|[0-9]{1,4}[ _,'][0-9]{1,4}|\\.|[-+]{2}[0-9]|0x[0-9]") {
        prop_assert_eq!(parse_wh(&text), None, "{:?}", text);
    }
}

#[test]
fn the_bound_is_the_last_register() {
    assert_eq!(parse_wh("1000000000000"), Some(REGISTER_MWH_MAX));
    assert_eq!(parse_wh("1000000000000.0004"), Some(REGISTER_MWH_MAX));
    assert_eq!(parse_wh("1000000000001"), None);
    assert_eq!(parse_wh("-1000000000000"), Some(-REGISTER_MWH_MAX));
    assert_eq!(parse_wh(&format!("1{}", "0".repeat(5000))), None);
    assert_eq!(parse_wh(&format!("0.{}1", "0".repeat(5000))), Some(0));
    assert_eq!(parse_wh(&format!("{}7", "0".repeat(5000))), Some(7000));
    assert_eq!(parse_scaled("1", i32::MAX), None);
    assert_eq!(parse_scaled("1e2147483647", i32::MAX), None);
    assert_eq!(parse_scaled("1e99999999999", 0), None, "an exponent beyond its type is no number");
}
