//! Fractions of 128-bit integers: amounts that are neither rounded nor lost. What has no room is refused, never cut.

use std::cmp::Ordering;

/// A fraction; of amounts in units of 10⁻¹⁵ of the currency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    num: i128,
    /// Above zero.
    den: i128,
}

/// Numbers beyond 128 bits: no home's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beyond;

/// How a half, and what is beside it, is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// floor(x + ½), also below zero.
    Floor,
    /// A half away from zero.
    HalfUp,
    /// A half to the even neighbour.
    HalfEven,
    /// Towards zero.
    Down,
}

// === impl Exact ===

impl Exact {
    pub(crate) const ZERO: Self = Self { num: 0, den: 1 };

    pub(crate) const fn whole(value: i128) -> Self {
        Self { num: value, den: 1 }
    }

    /// As it is given, so that sums over one denominator stay cheap. `den` is above zero.
    pub(crate) const fn over(num: i128, den: i128) -> Self {
        Self { num, den }
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.num == 0
    }

    pub(crate) const fn is_positive(self) -> bool {
        self.num > 0
    }

    pub(crate) fn plus(self, other: Self) -> Result<Self, Beyond> {
        if self.den == other.den {
            return Ok(Self { num: self.num.checked_add(other.num).ok_or(Beyond)?, den: self.den });
        }
        let (one, two) = if self.den.max(other.den) % self.den.min(other.den) == 0 {
            (self, other)
        } else {
            (self.reduced(), other.reduced())
        };
        let common = gcd(one.den, two.den);
        let den = one.den.checked_mul(two.den / common).ok_or(Beyond)?;
        let left = one.num.checked_mul(den / one.den).ok_or(Beyond)?;
        let right = two.num.checked_mul(den / two.den).ok_or(Beyond)?;
        Ok(Self { num: left.checked_add(right).ok_or(Beyond)?, den })
    }

    pub(crate) fn minus(self, other: Self) -> Result<Self, Beyond> {
        self.plus(Self { num: -other.num, den: other.den })
    }

    /// × `num` ÷ `den`, which is above zero.
    pub(crate) fn times(self, num: i128, den: i128) -> Result<Self, Beyond> {
        let product =
            |one: Self| Some(Self { num: one.num.checked_mul(num)?, den: one.den.checked_mul(den)? });
        let crossed = || {
            let (left, right) = (self.reduced(), Self::over(num, den).reduced());
            let (one, two) = (gcd(left.num, right.den), gcd(right.num, left.den));
            let num = (left.num / one).checked_mul(right.num / two)?;
            Some(Self { num, den: (left.den / two).checked_mul(right.den / one)? })
        };
        product(self).or_else(crossed).ok_or(Beyond)
    }

    /// This part of an amount, whose denominator stays the first factor: sums over a month keep one.
    pub(crate) fn of(self, amount: Self) -> Result<Self, Beyond> {
        amount.times(self.num, self.den)
    }

    pub(crate) fn reduced(self) -> Self {
        let common = gcd(self.num, self.den);
        Self { num: self.num / common, den: self.den / common }
    }

    pub(crate) fn compare(self, other: Self) -> Result<Ordering, Beyond> {
        Ok(self.minus(other)?.num.cmp(&0))
    }

    /// × `up` ÷ `down`, rounded to a whole number. `down` is above zero.
    pub(crate) fn rounded(self, up: i128, down: i128, rounding: Rounding) -> Result<i128, Beyond> {
        if let (Some(num), Some(den)) = (self.num.checked_mul(up), self.den.checked_mul(down)) {
            return round(num, den, rounding);
        }
        let scaled = self.times(up, down)?;
        round(scaled.num, scaled.den, rounding)
    }

    /// In currency, as a decimal where it has an end, else as a fraction.
    pub(crate) fn text(self, units: i128) -> String {
        let Ok(value) = self.times(1, units).map(Self::reduced) else {
            return format!("{}/{}", self.num, self.den);
        };
        let (mut rest, mut places, mut up) = (value.den, 0_u32, 1_i128);
        while rest % 10 == 0 || rest % 5 == 0 || rest % 2 == 0 {
            let (divisor, factor) = match (rest % 10, rest % 5) {
                (0, _) => (10, 1),
                (_, 0) => (5, 2),
                _ => (2, 5),
            };
            rest /= divisor;
            up *= factor;
            places += 1;
        }
        match value.num.checked_mul(up).filter(|_| rest == 1) {
            Some(digits) => crate::number::short(digits, places),
            None => format!("{}/{}", value.num, value.den),
        }
    }
}

fn round(num: i128, den: i128, rounding: Rounding) -> Result<i128, Beyond> {
    let (whole, rest) = (num.div_euclid(den), num.rem_euclid(den));
    let half = rest.checked_mul(2).ok_or(Beyond)?.cmp(&den);
    let up = match (rounding, half) {
        (_, _) if rest == 0 => false,
        (Rounding::Down, _) => num < 0,
        (_, Ordering::Less) => false,
        (_, Ordering::Greater) | (Rounding::Floor, Ordering::Equal) => true,
        (Rounding::HalfUp, Ordering::Equal) => num > 0,
        (Rounding::HalfEven, Ordering::Equal) => whole.rem_euclid(2) == 1,
    };
    Ok(whole + i128::from(up))
}

/// At least 1.
pub(crate) fn gcd(one: i128, two: i128) -> i128 {
    let (mut one, mut two) = (one.abs(), two.abs());
    while two != 0 {
        (one, two) = (two, one % two);
    }
    one.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_rounded_in_four_ways() {
        let rounded = |rounding| {
            [-25, -15, -14, 14, 15, 25].map(|num| Exact::over(num, 10).rounded(1, 1, rounding).unwrap())
        };
        assert_eq!(rounded(Rounding::Floor), [-2, -1, -1, 1, 2, 3]);
        assert_eq!(rounded(Rounding::HalfUp), [-3, -2, -1, 1, 2, 3]);
        assert_eq!(rounded(Rounding::HalfEven), [-2, -2, -1, 1, 2, 2]);
        assert_eq!(rounded(Rounding::Down), [-2, -1, -1, 1, 1, 2]);
    }

    #[test]
    fn sums_of_unlike_fractions_are_exact() {
        let sum = Exact::over(1, 31).plus(Exact::over(1, 92)).unwrap().minus(Exact::over(1, 31)).unwrap();
        assert_eq!(sum.compare(Exact::over(1, 92)), Ok(Ordering::Equal));
        assert_eq!(Exact::over(i128::MAX, 3).times(3, i128::MAX).unwrap().reduced().num, 1);
        assert_eq!(Exact::whole(i128::MAX).plus(Exact::whole(1)).err(), Some(Beyond));
    }

    #[test]
    fn an_end_is_written_as_a_decimal_and_none_as_a_fraction() {
        let text = |num, den| Exact::over(num, den).text(1000);
        assert_eq!([text(25, 1), text(-1, 8), text(1, 3), text(0, 7)], ["0.025", "-0.000125", "1/3000", "0"]);
    }
}
