//! Counters of tiers and of net metering: where they stand, and what a movement passes.

use std::ops::Range;

use crate::clock::{Clock, Quarter};
use crate::day::Day;
use crate::flags::Flags;
use crate::flow::Flow;
use crate::model::{Agreement, Band, Edge, Energy, Per};

/// Where one stands.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    /// The period that it counts in.
    days: Range<Day>,
    end: Quarter,
    pub(crate) mwh: i64,
    /// It has passed a quarter-hour of which the energy is not known.
    pub(crate) is_unsure: bool,
}

/// µWh of a mWh.
const UWH: i128 = 1_000;

/// By the names of component and band and by the period, through all versions.
#[derive(Debug, Default)]
pub(crate) struct Counters(Vec<(String, Option<String>, Per, Counter)>);

/// A part of a movement: the tier, none below zero, and mWh, less than zero on the way down.
pub(crate) type Portion = (Option<usize>, i64);

// === impl Counters ===

impl Counters {
    pub(crate) fn take(&mut self, component: &str, band: Option<&str>, per: Per) -> Counter {
        let is_it = |(id, name, own, _): &(String, Option<String>, Per, Counter)| {
            id == component && name.as_deref() == band && *own == per
        };
        let new = Counter { days: 0..0, end: Quarter::MIN, mwh: 0, is_unsure: false };
        self.0.iter().position(is_it).map_or(new, |place| self.0.swap_remove(place).3)
    }

    pub(crate) fn put(&mut self, component: &str, band: Option<&str>, per: Per, counter: Counter) {
        self.0.push((component.to_owned(), band.map(str::to_owned), per, counter));
    }
}

// === impl Counter ===

impl Counter {
    /// Begins anew where its period is over; says whether it did.
    pub(crate) fn reach(&mut self, quarter: Quarter, per: Per, agreement: &Agreement, clock: &Clock) -> bool {
        if quarter < self.end {
            return false;
        }
        let days = agreement.period(per, clock.at(quarter).day);
        *self = Self { end: clock.start(days.end), days, mwh: 0, is_unsure: false };
        true
    }

    /// Up to where each tier but the last goes in this period, in mWh.
    pub(crate) fn edges(&self, band: &Band, energy: &Energy, agreement: &Agreement) -> Vec<i64> {
        let held = i128::from(agreement.days_held(&self.days));
        let days = i128::from(self.days.end - self.days.start).max(1);
        let edge = |edge: Edge| {
            let (num, den) = match edge {
                Edge::Whole(uwh) if energy.prorate => (i128::from(uwh) * held, days),
                Edge::Whole(uwh) => (i128::from(uwh), 1),
                Edge::PerDay(uwh) => (i128::from(uwh) * held, 1),
            };
            let den = den * UWH;
            i64::try_from((2 * num + den).div_euclid(2 * den)).unwrap_or(i64::MAX)
        };
        band.tiers.iter().filter_map(|tier| tier.edge).map(edge).collect()
    }

    /// Moves where nobody asks what it passes.
    pub(crate) fn go_on(&mut self, flow: Flow) {
        self.mwh += flow.mwh;
        self.is_unsure |= flow.flags.has(Flags::NO_ENERGY);
    }

    /// Moves, and tells what it passes. `surplus`: below zero is a tier of its own.
    pub(crate) fn pass(&mut self, by: i64, edges: &[i64], surplus: bool, mut portion: impl FnMut(Portion)) {
        let target = self.mwh + by;
        while self.mwh != target {
            let up = self.mwh < target;
            let (tier, from, to) = tier(if up { self.mwh } else { self.mwh - 1 }, edges, surplus);
            let next = if up { target.min(to) } else { target.max(from) };
            portion((tier, next - self.mwh));
            self.mwh = next;
        }
    }

    /// The tier that it stands in; on an edge the upper one.
    pub(crate) fn tier(&self, edges: &[i64], surplus: bool) -> Option<usize> {
        tier(self.mwh, edges, surplus).0
    }
}

/// The tier of the mWh that begins here, and from where to where it goes.
fn tier(mwh: i64, edges: &[i64], surplus: bool) -> (Option<usize>, i64, i64) {
    if surplus && mwh < 0 {
        return (None, i64::MIN, 0);
    }
    let place = edges.partition_point(|edge| *edge <= mwh);
    let lowest = if surplus { 0 } else { i64::MIN };
    let from = place.checked_sub(1).map_or(lowest, |before| edges[before]);
    (Some(place), from, edges.get(place).copied().unwrap_or(i64::MAX))
}
