//! Deterministic randomness: the same on every machine and in every version, which no library's small
//! generator promises.

/// Random values of one home, drawn in a fixed order.
#[derive(Clone, Debug)]
pub struct Draw(u64);

// === impl Draw ===

impl Draw {
    /// The stream of this number in the world of this seed.
    #[must_use]
    pub const fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed ^ mix(number.wrapping_add(1))))
    }

    /// 64 random bits.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// 0 up to 1.
    pub const fn unit(&mut self) -> f32 {
        unit(self.word())
    }

    /// Evenly between two bounds.
    pub const fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A whole number from `low` up to, not including, `high`.
    #[expect(
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "the range is positive and below 2^63"
    )]
    pub const fn whole(&mut self, low: i64, high: i64) -> i64 {
        low + (self.word() % (high - low) as u64) as i64
    }
}

/// 64 random bits that belong to (seed, position).
#[must_use]
#[expect(clippy::cast_sign_loss, reason = "only the bits matter")]
pub const fn word(seed: u64, position: i64) -> u64 {
    mix(seed ^ (position as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// 0 up to 1, belonging to (seed, position).
#[must_use]
pub const fn at(seed: u64, position: i64) -> f32 {
    unit(word(seed, position))
}

/// Noise that moves smoothly from one value per `period_s` to the next, 0 to 1.
#[must_use]
pub fn smooth(seed: u64, seconds: i64, period_s: i64) -> f32 {
    let position = seconds.div_euclid(period_s);
    #[expect(clippy::cast_precision_loss, reason = "periods are minutes")]
    let between = seconds.rem_euclid(period_s) as f32 / period_s as f32;
    let eased = between * between * (3.0 - 2.0 * between);
    let from = at(seed, position);
    from + (at(seed, position + 1) - from) * eased
}

/// The finaliser of splitmix64.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[expect(clippy::cast_precision_loss, reason = "24 bits fit a float's mantissa")]
const fn unit(word: u64) -> f32 {
    (word >> 40) as f32 / 16_777_216.0
}
