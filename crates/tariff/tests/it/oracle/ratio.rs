//! Fractions, always reduced.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio(i128, i128);

impl Ratio {
    pub(crate) fn new(num: i128, den: i128) -> Self {
        let (mut one, mut two) = (num.abs(), den.abs());
        while two != 0 {
            (one, two) = (two, one % two);
        }
        let common = one.max(1) * den.signum();
        Self(num / common, den / common)
    }

    pub(crate) fn whole(value: i128) -> Self {
        Self(value, 1)
    }

    /// The quotient.
    pub(crate) fn over(self, other: Self) -> Self {
        self * Self::new(other.1, other.0)
    }

    /// floor(x + ½).
    pub(crate) fn round(self) -> i128 {
        (2 * self.0 + self.1).div_euclid(2 * self.1)
    }
}

impl Add for Ratio {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let common = Self::new(self.1, other.1);
        Self::new(self.0 * common.1 + other.0 * common.0, self.1 * common.1)
    }
}

impl Sub for Ratio {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + Self(-other.0, other.1)
    }
}

impl Mul for Ratio {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (one, two) = (Self::new(self.0, other.1), Self::new(other.0, self.1));
        Self::new(one.0 * two.0, one.1 * two.1)
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((*self - *other).0.cmp(&0))
    }
}
