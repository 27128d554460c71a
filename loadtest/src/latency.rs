//! How long things took.

use hdrhistogram::Histogram;

/// A histogram of µs up to ten minutes, to 0.1 %.
#[must_use]
#[expect(clippy::expect_used, reason = "constant bounds, seen by a test")]
pub fn microseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("bounds of a histogram")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_can_be_made() {
        assert_eq!(microseconds().len(), 0);
    }
}
