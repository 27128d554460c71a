//! Rounding: once, half up, below zero too.

/// `numerator` ÷ `denominator`, which is above zero, rounded: floor(x + ½).
pub(super) const fn half_up(numerator: i128, denominator: i128) -> i128 {
    (2 * numerator + denominator).div_euclid(2 * denominator)
}

/// `part` ÷ `whole` of an energy in mWh, rounded; the whole of it where there is no whole.
pub(super) fn share_of(mwh: i64, part: i128, whole: i128) -> i64 {
    if whole <= 0 {
        return mwh;
    }
    // Between 0 and the energy, so it fits.
    i64::try_from(half_up(i128::from(mwh) * part, whole)).unwrap_or(mwh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_up_below_zero_too() {
        assert_eq!([-3, -2, -1, 1, 2, 3].map(|number| half_up(number, 2)), [-1, -1, 0, 1, 1, 2]);
        assert_eq!(share_of(-1, 1, 2), 0);
        assert_eq!(share_of(10, 1, 3), 3);
        assert_eq!(share_of(10, 0, 0), 10);
    }
}
