//! Which buckets a changed row can change.
//!
//! A register reading makes two spans: from the reading before it and to the one after it, in the same register. So a
//! new one touches every bucket from that which holds its predecessor to that which holds its successor; a row without
//! this register touches nothing of it. Power and the number of readings are the row's own bucket's only.

use crate::grid::BucketRange;

/// 35 days: no single look back or ahead is longer. Registers read once a month are still joined; without a bound one
/// late row could rewrite all history, and no raw row could ever be dropped.
pub const REACH_US: i64 = 3_024_000 * 1_000_000;

/// Rows that were added or changed: those from `first_us` to `last_us`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The earliest of them.
    pub first_us: i64,
    /// The latest.
    pub last_us: i64,
}

/// The readings of one register next to the changed rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// The last one before the first changed row, within [`REACH_US`].
    pub before_us: Option<i64>,
    /// The first one after the last changed row, within [`REACH_US`].
    pub after_us: Option<i64>,
}

// === impl Changed ===

impl Changed {
    /// The quarter-hours that hold the rows themselves.
    #[must_use]
    pub const fn own_buckets(&self) -> BucketRange {
        BucketRange::quarter_hours(self.first_us, self.last_us + 1)
    }

    /// The quarter-hours whose energy of a register may be another now, if readings of it were among the rows.
    #[must_use]
    pub fn touched_buckets(&self, neighbours: Neighbours) -> BucketRange {
        let from_us = neighbours.before_us.unwrap_or(self.first_us);
        // A span ends before its last reading's instant: a bucket that begins there is not touched.
        let to_us = neighbours.after_us.unwrap_or(self.last_us + 1);
        self.own_buckets().hull(&BucketRange::quarter_hours(from_us, to_us))
    }

    /// How long a time they lie in.
    #[must_use]
    pub const fn span_us(&self) -> i64 {
        self.last_us - self.first_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::QUARTER_HOUR_US as QUARTER;

    #[test]
    fn a_row_touches_the_buckets_between_its_neighbours() {
        let row = Changed { first_us: 10 * QUARTER + 5, last_us: 10 * QUARTER + 5 };
        let touched = |before_us, after_us| {
            let range = row.touched_buckets(Neighbours { before_us, after_us });
            (range.start_us() / QUARTER, range.end_us() / QUARTER)
        };
        assert_eq!(touched(None, None), (10, 11));
        assert_eq!(touched(Some(9 * QUARTER), None), (9, 11));
        assert_eq!(touched(Some(9 * QUARTER - 1), Some(12 * QUARTER)), (8, 12));
        assert_eq!(touched(None, Some(12 * QUARTER + 1)), (10, 13));
    }
}
