//! What a route or a declaration multiplies values with.

/// A factor in decimal, so that registers stay exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Multiplier {
    factor: f64,
    digits: i64,
    /// `factor` = digits ÷ divisor.
    divisor: i64,
}

// === impl Multiplier ===

impl Multiplier {
    /// From its floating-point number; none where it is not above 0, or has more than 9 digits.
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        let text = factor.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        if !factor.is_finite() || factor <= 0.0 || whole.len() + fraction.len() > 10 {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let divisor = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        Some(Self { factor, digits, divisor })
    }

    /// A measure in floating point.
    #[must_use]
    pub fn value(self, value: f64) -> f64 {
        value * self.factor
    }

    /// A register, half up.
    #[must_use]
    pub fn register_mwh(self, mwh: i64) -> i64 {
        let product = i128::from(mwh) * i128::from(self.digits);
        let rounded = (product + i128::from(self.divisor / 2)).div_euclid(i128::from(self.divisor));
        i64::try_from(rounded).unwrap_or(i64::MAX)
    }
}
