//! Power statistics of a bucket: of the readings in it, each counted once.

/// Smallest, mean and largest active power, in mW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerStatistics {
    /// The smallest.
    pub min_mw: i64,
    /// The mean of the readings, half up.
    pub avg_mw: i64,
    /// The largest.
    pub max_mw: i64,
}

/// Gathers the readings of one bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gathered {
    count: i64,
    sum_mw: i128,
    min_mw: i64,
    max_mw: i64,
}

// === impl Gathered ===

impl Gathered {
    pub(crate) fn add(&mut self, mw: i64) {
        if self.count == 0 {
            (self.min_mw, self.max_mw) = (mw, mw);
        }
        self.count += 1;
        self.sum_mw += i128::from(mw);
        self.min_mw = self.min_mw.min(mw);
        self.max_mw = self.max_mw.max(mw);
    }

    pub(crate) fn statistics(&self) -> Option<PowerStatistics> {
        if self.count == 0 {
            return None;
        }
        let count = i128::from(self.count);
        let mean = (2 * self.sum_mw + count).div_euclid(2 * count);
        Some(PowerStatistics {
            min_mw: self.min_mw,
            // A mean lies between the smallest and the largest, so it fits.
            avg_mw: i64::try_from(mean).unwrap_or(self.max_mw),
            max_mw: self.max_mw,
        })
    }
}

/// Power in W to whole mW, half up.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
pub fn from_w(w: f64) -> i64 {
    (w * 1000.0 + 0.5).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_rounded_half_up() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.statistics(), None);
        for mw in [-3, -2] {
            gathered.add(mw);
        }
        let expected = PowerStatistics { min_mw: -3, avg_mw: -2, max_mw: -2 };
        assert_eq!(gathered.statistics(), Some(expected));
    }

    #[test]
    fn watts_become_whole_milliwatts() {
        assert_eq!([432.1, -0.0005, 0.0004].map(from_w), [432_100, 0, 0]);
    }
}
