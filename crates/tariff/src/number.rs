//! Decimals as text: read into whole numbers of a power of ten, and written from them. Never through a float.

/// Decimals of a price, of a factor and of kW.
pub(crate) const PRICE_PLACES: u32 = 9;
/// Decimals of VAT in per cent: the same whole number is the rate in millionths.
pub(crate) const VAT_PLACES: u32 = 4;
/// Decimals of other percentages: the same whole number is the part in 10⁻¹⁰.
pub(crate) const PERCENT_PLACES: u32 = 8;
/// From kWh to mWh.
pub(crate) const ENERGY_PLACES: u32 = 6;
/// Decimals of an amount that is shown.
pub(crate) const AMOUNT_PLACES: u32 = 6;

/// More digits than any price has.
const DIGITS_MAX: usize = 30;
const EXPONENT_MAX: i32 = 40;

/// Why a text is no number that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// No number, or one beyond all bounds.
    Bad,
    /// More decimals than are kept.
    Precise,
}

/// `value` × 10^`exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    value: i128,
    exponent: i32,
}

// === impl Decimal ===

impl Decimal {
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (digits, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let power: i32 = power.parse().map_err(|_| Wrong::Bad)?;
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let count = whole.len() + part.len();
        if !(1..=DIGITS_MAX).contains(&count) || power.abs() > EXPONENT_MAX {
            return Err(Wrong::Bad);
        }
        let mut value = 0_i128;
        for byte in whole.bytes().chain(part.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(Wrong::Bad);
            }
            value = value * 10 + i128::from(byte - b'0');
        }
        let places = i32::try_from(part.len()).map_err(|_| Wrong::Bad)?;
        Ok(Self { value: if negative { -value } else { value }, exponent: power - places })
    }

    /// In units of 10^-`places`.
    pub(crate) fn scaled(self, places: u32) -> Result<i64, Wrong> {
        let (whole, rest) = self.split(places)?;
        if rest { Err(Wrong::Precise) } else { i64::try_from(whole).map_err(|_| Wrong::Bad) }
    }

    /// In units of 10^-`places`, by floor(x + ½).
    pub(crate) fn rounded(self, places: u32) -> Result<i64, Wrong> {
        let twice = self.value.checked_mul(2).ok_or(Wrong::Bad)?;
        let (half_units, _) = Self { value: twice, ..self }.split(places)?;
        i64::try_from((half_units + 1).div_euclid(2)).map_err(|_| Wrong::Bad)
    }

    /// The product; of two numbers as people write them it always has room.
    pub(crate) fn times(self, other: Self) -> Result<Self, Wrong> {
        let value = self.value.checked_mul(other.value).ok_or(Wrong::Bad)?;
        Ok(Self { value, exponent: self.exponent + other.exponent })
    }

    /// A thousandth: a price per MWh as one per kWh.
    pub(crate) fn thousandth(self) -> Self {
        Self { exponent: self.exponent - 3, ..self }
    }

    /// Whole units, rounded down, and whether something is left.
    fn split(self, places: u32) -> Result<(i128, bool), Wrong> {
        let shift = self.exponent + i32::try_from(places).map_err(|_| Wrong::Bad)?;
        let Some(power) = 10_i128.checked_pow(shift.unsigned_abs()) else {
            return if self.value == 0 { Ok((0, false)) } else { Err(Wrong::Bad) };
        };
        if shift >= 0 {
            return Ok((self.value.checked_mul(power).ok_or(Wrong::Bad)?, false));
        }
        Ok((self.value.div_euclid(power), self.value.rem_euclid(power) != 0))
    }
}

/// With exactly so many decimals.
pub(crate) fn fixed(value: i128, places: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let size = value.unsigned_abs();
    if places == 0 {
        return format!("{sign}{size}");
    }
    let unit = 10_u128.pow(places);
    format!("{sign}{}.{:0width$}", size / unit, size % unit, width = places as usize)
}

/// Without zeros at its end.
pub(crate) fn short(value: i128, places: u32) -> String {
    let text = fixed(value, places);
    if places == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(text: &str) -> Result<i64, Wrong> {
        Decimal::parse(text)?.scaled(PRICE_PLACES)
    }

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        assert_eq!(scaled("0.123456789"), Ok(123_456_789));
        assert_eq!(scaled("-0.40"), Ok(-400_000_000));
        assert_eq!(scaled("1e-9"), Ok(1));
        assert_eq!(scaled("0.1000000000000"), Ok(100_000_000));
        assert_eq!(scaled("0.1234567891"), Err(Wrong::Precise));
        for text in ["", "-", ".", "1,5", "+1", "0x1", "NaN", "1e99", "99999999999999", "--1", "1.2.3", "1e"]
        {
            assert_eq!(scaled(text), Err(Wrong::Bad), "{text}");
        }
    }

    #[test]
    fn more_decimals_are_rounded_by_floor_of_x_and_a_half() {
        let rounded = |text| Decimal::parse(text).unwrap().rounded(2).unwrap();
        assert_eq!(["0.125", "-0.125", "0.1249", "-0.1251", "7"].map(rounded), [13, -12, 12, -13, 700]);
    }

    #[test]
    fn numbers_are_written_with_their_places() {
        assert_eq!([fixed(-5, 2), fixed(1234, 3), fixed(-7, 0)], ["-0.05", "1.234", "-7"]);
        assert_eq!(
            [short(100_000, 6), short(-1_500_000, 6), short(0, 6), short(20, 0)],
            ["0.1", "-1.5", "0", "20"]
        );
    }
}
