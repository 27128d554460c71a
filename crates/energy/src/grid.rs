//! Buckets in time: half-open, of one width, aligned to 1970-01-01T00:00Z.

/// The width that is stored: every time zone's offset is a multiple of it.
pub const QUARTER_HOUR_US: i64 = 900_000_000;

const SECOND_US: i64 = 1_000_000;
/// Finer than any stored bucket: an interval above this is a gap, in µs.
const GAP_FINE_US: i64 = 1_000 * SECOND_US;
/// 1.25 × the nominal width of 15 min, of 1 h, and 1.25 × a day of 25 h: clocks jitter, and one reading a day must
/// cover the day that has 25 hours.
const GAP_LIMITS_US: [i64; 3] = [1_125 * SECOND_US, 4_500 * SECOND_US, 112_500 * SECOND_US];
const HOUR_US: i64 = 3_600 * SECOND_US;
const DAY_US: i64 = 25 * HOUR_US;

/// Consecutive buckets of one width: `[start, end)`, both on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketRange {
    start_us: i64,
    end_us: i64,
    width_us: i64,
}

// === impl BucketRange ===

impl BucketRange {
    /// The buckets of this width that meet `[from, to)`; where `to` is not after `from`, the one that holds `from`.
    ///
    /// # Panics
    /// If the width is not positive.
    #[must_use]
    pub const fn meeting(from_us: i64, to_us: i64, width_us: i64) -> Self {
        let last_us = if to_us > from_us { to_us - 1 } else { from_us };
        Self { start_us: floor(from_us, width_us), end_us: floor(last_us, width_us) + width_us, width_us }
    }

    /// The quarter-hours that meet `[from, to)`; where `to` is not after `from`, the one that holds `from`.
    #[must_use]
    pub const fn quarter_hours(from_us: i64, to_us: i64) -> Self {
        Self::meeting(from_us, to_us, QUARTER_HOUR_US)
    }

    /// The start of the first.
    #[must_use]
    pub const fn start_us(&self) -> i64 {
        self.start_us
    }

    /// The end of the last.
    #[must_use]
    pub const fn end_us(&self) -> i64 {
        self.end_us
    }

    /// The width of each.
    #[must_use]
    pub const fn width_us(&self) -> i64 {
        self.width_us
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "end is never before start")]
    pub const fn len(&self) -> usize {
        ((self.end_us - self.start_us) / self.width_us) as usize
    }

    /// Never: a range has at least one bucket.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The place of the bucket that holds this instant, if the range does.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not before start")]
    pub const fn index_of(&self, us: i64) -> Option<usize> {
        if us < self.start_us || us >= self.end_us {
            return None;
        }
        Some(((us - self.start_us) / self.width_us) as usize)
    }

    /// The start of the bucket in this place.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "a place in memory")]
    pub const fn start_of(&self, index: usize) -> i64 {
        self.start_us + index as i64 * self.width_us
    }

    /// Both, and what lies between them.
    #[must_use]
    pub fn hull(&self, other: &Self) -> Self {
        Self {
            start_us: self.start_us.min(other.start_us),
            end_us: self.end_us.max(other.end_us),
            width_us: self.width_us,
        }
    }
}

/// The start of the bucket of this width that holds the instant.
#[must_use]
pub const fn floor(us: i64, width_us: i64) -> i64 {
    us.div_euclid(width_us) * width_us
}

/// Above which length an interval is a gap for buckets of this width, in µs. A width between two that have a limit
/// goes by the smaller; a month has none, for no interval is longer than the reach.
#[must_use]
pub const fn gap_limit_us(width_us: i64) -> i64 {
    if width_us < QUARTER_HOUR_US {
        GAP_FINE_US
    } else if width_us < HOUR_US {
        GAP_LIMITS_US[0]
    } else if width_us < DAY_US - HOUR_US {
        GAP_LIMITS_US[1]
    } else if width_us < 28 * 24 * HOUR_US {
        GAP_LIMITS_US[2]
    } else {
        i64::MAX
    }
}

/// The class of known time that an interval of this length gives: up to the limit of 15 min, of 1 h, of a day, longer.
#[must_use]
pub const fn coverage_class(interval_us: i64) -> usize {
    let mut class = 0;
    while class < GAP_LIMITS_US.len() && interval_us > GAP_LIMITS_US[class] {
        class += 1;
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open() {
        let quarter = QUARTER_HOUR_US;
        let one = BucketRange::quarter_hours(0, quarter);
        assert_eq!((one.start_us(), one.end_us(), one.len()), (0, quarter, 1));
        let two = BucketRange::quarter_hours(0, quarter + 1);
        assert_eq!(two.len(), 2);
        assert_eq!(BucketRange::quarter_hours(quarter, quarter).start_us(), quarter);
        let before = BucketRange::quarter_hours(-1, 0);
        assert_eq!((before.start_us(), before.end_us()), (-quarter, 0));
        assert_eq!(two.index_of(quarter), Some(1));
        assert_eq!(two.index_of(2 * quarter), None);
        assert_eq!(two.index_of(-1), None);
        assert_eq!(two.start_of(1), quarter);
    }

    #[test]
    fn limits_follow_the_width() {
        assert_eq!(gap_limit_us(60 * SECOND_US), 1_000 * SECOND_US);
        assert_eq!(gap_limit_us(QUARTER_HOUR_US), 1_125 * SECOND_US);
        assert_eq!(gap_limit_us(2 * QUARTER_HOUR_US), 1_125 * SECOND_US);
        assert_eq!(gap_limit_us(HOUR_US), 4_500 * SECOND_US);
        assert_eq!(gap_limit_us(24 * HOUR_US), 112_500 * SECOND_US);
        assert_eq!(gap_limit_us(31 * 24 * HOUR_US), i64::MAX);
        let classes: Vec<usize> = [1_125, 1_126, 4_500, 4_501, 112_500, 112_501]
            .map(|seconds| coverage_class(seconds * SECOND_US))
            .into();
        assert_eq!(classes, [0, 1, 1, 2, 2, 3]);
    }
}
