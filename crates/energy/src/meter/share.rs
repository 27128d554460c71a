//! Spans and power shared out over buckets, to the milliwatt-hour.

use super::flow::{Flow, Hold};
use super::interval::Span;
use super::round::half_up;
use super::settings::{MW_US_PER_MWH, Settings};
use super::track::Track;
use crate::quality::{Flag, Quality};
use crate::{Energy, Register};

const SECOND_US: i64 = 1_000_000;
/// 1.25 × the nominal width: of 15 min, of 1 h, of a day, which may have 25 hours. Clocks jitter.
const STORED_US: [i64; 3] = [1_125 * SECOND_US, 4_500 * SECOND_US, 112_500 * SECOND_US];

/// Above which lengths an interval is a gap: for the bucket's own width, and for wider ones that are summed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits([i64; 3]);

/// One bucket's part while spans are added to it.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    register_mwh: Option<i64>,
    known_us: [i64; 4],
    power_us: i64,
    power_mw_us: i128,
    quality: Quality,
}

/// What is shared out: one direction over consecutive buckets.
struct Sharing<'a> {
    flow: &'a Flow,
    register: Register,
    edges_us: &'a [i64],
    limits: &'a Limits,
    sums: Vec<Sum>,
}

/// The energy of one direction in each bucket between two consecutive edges.
#[must_use]
pub fn share(
    track: &Track,
    flow: &Flow,
    register: Register,
    edges_us: &[i64],
    limits: &Limits,
) -> Vec<Energy> {
    let sums = vec![Sum::default(); edges_us.len().saturating_sub(1)];
    let mut sharing = Sharing { flow, register, edges_us, limits, sums };
    if let (Some(&from_us), Some(&to_us)) = (edges_us.first(), edges_us.last()) {
        let later = track.spans().partition_point(|span| span.to_us <= from_us);
        for span in &track.spans()[later..] {
            sharing.add_span(span);
        }
        for us in track.ignored_us() {
            sharing.flag(*us, us + 1, Flag::Glitch);
        }
        let inside = |hold: &&Hold| hold.to_us > from_us && hold.from_us < to_us;
        for (hold, from_us, to_us) in unknown(track.spans(), flow.holds().iter().filter(inside)) {
            sharing.add_power(hold, from_us, to_us);
        }
        for (_, from_us, to_us) in unknown(track.spans(), flow.beyond().iter().filter(inside)) {
            sharing.flag(from_us, to_us, Flag::Implausible);
        }
    }
    sharing.sums.iter().map(Sum::energy).collect()
}

/// The parts of power's time in which the register tells nothing.
fn unknown<'a>(
    spans: &'a [Span],
    holds: impl Iterator<Item = &'a Hold> + 'a,
) -> impl Iterator<Item = (&'a Hold, i64, i64)> + 'a {
    holds.flat_map(move |hold| {
        let first = spans.partition_point(|span| span.to_us <= hold.from_us);
        let known = spans[first..].iter().take_while(|span| span.from_us < hold.to_us);
        let known = known.filter(|span| span.mwh.is_some()).map(|span| (span.from_us, span.to_us));
        let mut free_us = hold.from_us;
        known.chain([(hold.to_us, hold.to_us)]).filter_map(move |(from_us, to_us)| {
            let piece = (hold, free_us, from_us);
            free_us = free_us.max(to_us);
            (piece.1 < piece.2).then_some(piece)
        })
    })
}

// === impl Limits ===

impl Limits {
    /// For quarter-hours, and for what is summed of them.
    #[must_use]
    pub fn stored(settings: &Settings) -> Self {
        Self(STORED_US.map(|us| us.max(settings.gap_us)))
    }

    /// For finer buckets.
    #[must_use]
    pub fn fine(settings: &Settings) -> Self {
        let Self([_, hour_us, day_us]) = Self::stored(settings);
        Self([settings.gap_us, hour_us, day_us])
    }

    /// For the bucket's own width.
    #[must_use]
    pub const fn gap_us(&self) -> i64 {
        self.0[0]
    }

    /// The class of known time that a span gives.
    fn class(&self, span: &Span) -> usize {
        if span.is_shaped {
            0
        } else {
            self.0.iter().filter(|limit_us| span.interval_us > **limit_us).count()
        }
    }
}

// === impl Sharing ===

impl Sharing<'_> {
    /// The buckets that meet `[from, to)`, by their place.
    fn meeting(&self, from_us: i64, to_us: i64) -> std::ops::Range<usize> {
        let first = self.edges_us.partition_point(|edge_us| *edge_us <= from_us).saturating_sub(1);
        let end = self.edges_us.partition_point(|edge_us| *edge_us < to_us).min(self.sums.len());
        first..end.max(first)
    }

    fn add_span(&mut self, span: &Span) {
        let mut quality = span.quality;
        if span.is_shaped && span.interval_us > self.limits.gap_us() {
            quality = quality.with(Flag::Shaped);
        }
        let class = self.limits.class(span);
        for place in self.meeting(span.begin_us, span.to_us) {
            let (start_us, end_us) = (self.edges_us[place], self.edges_us[place + 1]);
            let share = span.mwh.map(|mwh| self.until(span, end_us, mwh) - self.until(span, start_us, mwh));
            let sum = &mut self.sums[place];
            sum.quality = sum.quality.union(quality);
            let Some(mwh) = share else { continue };
            sum.register_mwh = Some(sum.register_mwh.unwrap_or(0) + mwh);
            sum.known_us[class] += overlap_us(span.from_us, span.to_us, start_us, end_us);
        }
    }

    fn until(&self, span: &Span, us: i64, mwh: i64) -> i64 {
        if span.is_shaped {
            self.flow.shaped_share(span, self.register, us, mwh)
        } else {
            span.even_share(us, mwh)
        }
    }

    fn add_power(&mut self, hold: &Hold, from_us: i64, to_us: i64) {
        for place in self.meeting(from_us, to_us) {
            let us = overlap_us(from_us, to_us, self.edges_us[place], self.edges_us[place + 1]);
            let sum = &mut self.sums[place];
            sum.power_us += us;
            sum.power_mw_us += i128::from(hold.mw(self.register)) * i128::from(us);
        }
    }

    fn flag(&mut self, from_us: i64, to_us: i64, flag: Flag) {
        for place in self.meeting(from_us, to_us) {
            let sum = &mut self.sums[place];
            sum.quality = sum.quality.with(flag);
        }
    }
}

// === impl Sum ===

impl Sum {
    fn energy(&self) -> Energy {
        let mut quality = self.quality;
        let mut known_us = self.known_us;
        let mut mwh = self.register_mwh;
        if self.power_us > 0 {
            quality = quality.with(Flag::Power);
            known_us[0] += self.power_us;
            // What has no room flows in no wire.
            let power_mwh = i64::try_from(half_up(self.power_mw_us, MW_US_PER_MWH)).unwrap_or(i64::MAX);
            mwh = Some(mwh.unwrap_or(0).saturating_add(power_mwh));
        }
        if known_us[1..].iter().any(|us| *us > 0) {
            quality = quality.with(Flag::Gap);
        }
        // µs are summed, then cut.
        let coverage_ms = known_us.map(|us| i32::try_from(us / 1000).unwrap_or(i32::MAX));
        Energy { mwh, coverage_ms, quality }
    }
}

fn overlap_us(from_us: i64, to_us: i64, start_us: i64, end_us: i64) -> i64 {
    (to_us.min(end_us) - from_us.max(start_us)).max(0)
}
