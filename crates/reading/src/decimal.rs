//! Decimal numbers as nearly all meters write them: few digits, and no exponent. Read in one pass, and exact: the same
//! digits are a measure, a register and an instant.

/// ±`digits` × 10^-`places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: u64,
    places: usize,
}

/// So many digits have room in 63 bits.
const DIGITS_MAX: usize = 18;
/// Whole numbers below this are exact in double precision.
const EXACT: u64 = 1 << 53;

// === impl Decimal ===

impl Decimal {
    /// The number with which a text begins, and its length in bytes: `12.5`, `-3`, `.5`, `7.`. None where there is no
    /// digit, or more than 18.
    #[inline]
    #[must_use]
    pub fn prefix(text: &[u8]) -> Option<(Self, usize)> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        let (digits, point) = digits(text, start, 0);
        let (digits, end, places) = if text.get(point) == Some(&b'.') {
            let (digits, end) = self::digits(text, point + 1, digits);
            (digits, end, end - point - 1)
        } else {
            (digits, point, 0)
        };
        let count = point - start + places;
        (1..=DIGITS_MAX).contains(&count).then_some((Self { negative, digits, places }, end))
    }

    /// A text that is such a number and nothing else.
    #[inline]
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (decimal, length) = Self::prefix(text.as_bytes())?;
        (length == text.len()).then_some(decimal)
    }

    /// Its digits, where it is not negative.
    #[must_use]
    pub fn unsigned_digits(self) -> Option<u64> {
        (!self.negative).then_some(self.digits)
    }

    /// The nearest double, as a parser of the whole text finds it: where digits and power of ten are exact, their
    /// quotient is rounded once. None where the digits are too many for that.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    pub fn to_f64(self) -> Option<f64> {
        const POWERS: [f64; DIGITS_MAX + 1] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
            1e18,
        ];
        if self.digits > EXACT {
            return None;
        }
        let size = self.digits as f64 / POWERS[self.places];
        Some(if self.negative { -size } else { size })
    }

    /// Times 10^`exponent`, rounded down; none where that has no room in 64 bits.
    #[inline]
    #[must_use]
    pub fn scaled_down(self, exponent: i32) -> Option<i64> {
        let digits = i64::try_from(self.digits).ok()?;
        let digits = if self.negative { -digits } else { digits };
        let exponent = exponent.checked_sub(i32::try_from(self.places).ok()?)?;
        let power = 10_i64.checked_pow(exponent.unsigned_abs())?;
        if exponent < 0 { Some(digits.div_euclid(power)) } else { digits.checked_mul(power) }
    }

    /// Times 10^`exponent`; none where that is no whole number by its places, or has no room in 64 bits.
    #[inline]
    #[must_use]
    pub fn scaled(self, exponent: i32) -> Option<i64> {
        (usize::try_from(exponent).ok()? >= self.places).then(|| self.scaled_down(exponent))?
    }
}

/// The digits from `at` behind those of `value`, and where they end. Too many wrap around: their count says so.
#[inline]
fn digits(text: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (value, at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_read_as_far_as_it_goes() {
        for (text, length, value) in [
            ("12.5,", 4, Some(12.5)),
            ("-0", 2, Some(-0.0)),
            (".5", 2, Some(0.5)),
            ("7.", 2, Some(7.0)),
            ("1.2.3", 3, Some(1.2)),
            ("1e3", 1, Some(1.0)),
            ("999999999999999999}", 18, None),
        ] {
            let (decimal, end) = Decimal::prefix(text.as_bytes()).unwrap();
            assert_eq!((decimal.to_f64(), end), (value, length), "{text}");
        }
        for text in ["", "-", ".", "-.", "x", "+1", "1000000000000000000", "00000000000000000000.1"] {
            assert_eq!(Decimal::prefix(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_power_of_ten_is_exact_or_rounded_down() {
        let decimal = |text| Decimal::parse(text).unwrap();
        assert_eq!((decimal("1.25").scaled(3), decimal("1.2505").scaled(3)), (Some(1250), None));
        assert_eq!(
            (decimal("1.2599").scaled_down(2), decimal("-1.2599").scaled_down(2)),
            (Some(125), Some(-126))
        );
        assert_eq!((decimal("1").scaled_down(19), decimal("10").scaled_down(18)), (None, None));
        assert_eq!((decimal("1").scaled_down(i32::MIN), decimal("1").scaled(-1)), (None, None));
    }

    proptest! {
        #[test]
        fn the_nearest_double_is_that_of_the_standard_library(text in "-?[0-9]{1,16}(\\.[0-9]{0,16})?") {
            if let Some(value) = Decimal::parse(&text).and_then(Decimal::to_f64) {
                prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(text in "[-.0-9e]{0,40}", exponent in any::<i32>()) {
            if let Some((decimal, length)) = Decimal::prefix(text.as_bytes()) {
                prop_assert!(length <= text.len());
                let _ = (decimal.to_f64(), decimal.scaled(exponent), decimal.scaled_down(exponent));
            }
        }
    }
}
