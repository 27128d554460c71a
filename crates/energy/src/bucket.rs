//! Spans shared out over buckets.

use crate::chain::{Link, chain};
use crate::grid::{self, BucketRange};
use crate::power::{Gathered, PowerStatistics};
use crate::quality::{Flag, Quality};
use crate::span::{Span, spans};
use crate::{Register, Row, Rules};

/// What is known of one direction in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Energy {
    /// Energy in mWh. None: nothing is known; 0: known to be nothing.
    pub mwh: Option<i64>,
    /// Known time in ms by the length of the interval that it comes from: up to the limit of 15 min, of 1 h, of a
    /// day, longer. What lies above the limit of the bucket's own width is not covered.
    pub coverage_ms: [i32; 4],
    /// What is special about it.
    pub quality: Quality,
}

/// One bucket of one meter. The width is the range's that it was computed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Where it begins, in µs.
    pub start_us: i64,
    /// What was taken from the grid.
    pub import: Energy,
    /// What was given to it.
    pub export: Energy,
    /// Power, where a reading in the bucket has it.
    pub power: Option<PowerStatistics>,
    /// Readings in the bucket.
    pub reading_count: i32,
}

/// The buckets of `range` of which anything is known, in order of time.
///
/// `rows` must hold every row of the range, and of each register the last reading before it and the first one after
/// it, where these lie within [`reach::REACH_US`](crate::reach::REACH_US). More rows change nothing.
#[must_use]
pub fn buckets(rows: &[Row], range: &BucketRange, rules: &Rules) -> Vec<Bucket> {
    let import = register_energy(chain(rows, Register::Import), range, rules);
    let export = register_energy(chain(rows, Register::Export), range, rules);
    let power = statistics(rows, range);
    let whole = import.into_iter().zip(export).zip(power).enumerate();
    whole
        .map(|(index, ((import, export), (power, reading_count)))| Bucket {
            start_us: range.start_of(index),
            import,
            export,
            power,
            reading_count,
        })
        .filter(|bucket| !bucket.is_empty())
        .collect()
}

/// The energy of one register in each bucket of the range, from its chain of readings.
#[must_use]
pub fn register_energy(chain: impl Iterator<Item = Link>, range: &BucketRange, rules: &Rules) -> Vec<Energy> {
    let mut shares = vec![Share::default(); range.len()];
    for span in spans(chain, rules) {
        share_out(&span, range, &mut shares);
    }
    shares.iter().map(Share::energy).collect()
}

/// Power and number of the readings in each bucket of the range.
#[must_use]
pub fn statistics(rows: &[Row], range: &BucketRange) -> Vec<(Option<PowerStatistics>, i32)> {
    let mut gathered = vec![(Gathered::default(), 0_i32); range.len()];
    for row in rows {
        let Some(index) = range.index_of(row.ts_us) else { continue };
        let (power, count) = &mut gathered[index];
        *count = count.saturating_add(1);
        if let Some(mw) = row.power_mw {
            power.add(mw);
        }
    }
    gathered.iter().map(|(power, count)| (power.statistics(), *count)).collect()
}

/// One bucket's part while spans are added to it.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    mwh: Option<i64>,
    covered_us: [i64; 4],
    quality: Quality,
}

/// Adds what the span says to each bucket that it meets.
fn share_out(span: &Span, range: &BucketRange, shares: &mut [Share]) {
    let from_us = span.from_us.max(range.start_us());
    let to_us = span.to_us.min(range.end_us());
    if from_us >= to_us {
        return;
    }
    let class = grid::coverage_class(span.interval_us);
    let mut quality = span.quality;
    if span.mwh.is_some() && span.is_gap(range.width_us()) {
        quality = quality.with(Flag::Gap);
    }
    let first = range.index_of(from_us).unwrap_or(0);
    let mut cut_us = from_us;
    let mut cut_mwh = span.mwh.map(|mwh| span.mwh_until(from_us, mwh));
    for (index, share) in shares.iter_mut().enumerate().skip(first) {
        let edge_us = to_us.min(range.start_of(index) + range.width_us());
        if let (Some(mwh), Some(before)) = (span.mwh, cut_mwh) {
            let until = span.mwh_until(edge_us, mwh);
            share.mwh = Some(share.mwh.unwrap_or(0) + until - before);
            share.covered_us[class] += edge_us - cut_us;
            cut_mwh = Some(until);
        }
        share.quality = share.quality.union(quality);
        cut_us = edge_us;
        if cut_us >= to_us {
            return;
        }
    }
}

// === impl Bucket ===

impl Bucket {
    /// Whether nothing at all is known of it: such a bucket is not stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reading_count == 0 && self.import.is_empty() && self.export.is_empty()
    }
}

// === impl Energy ===

impl Energy {
    /// Whether neither an energy nor a remark is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.mwh.is_none() && self.quality.is_empty()
    }

    /// Time that is known and no gap for a bucket of this width, in ms.
    #[must_use]
    pub fn covered_ms(&self, width_us: i64) -> i32 {
        let limit_us = grid::gap_limit_us(width_us);
        let classes = if limit_us == i64::MAX { 4 } else { grid::coverage_class(limit_us) + 1 };
        self.coverage_ms.iter().take(classes).sum()
    }
}

// === impl Share ===

impl Share {
    fn energy(&self) -> Energy {
        Energy {
            mwh: self.mwh,
            // µs are summed, then cut. No bucket is as long as 24 days, where this would end.
            coverage_ms: self.covered_us.map(|us| i32::try_from(us / 1000).unwrap_or(i32::MAX)),
            quality: self.quality,
        }
    }
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
