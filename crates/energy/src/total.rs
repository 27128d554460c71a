//! Quarter-hours summed into wider buckets, and finer buckets as they are.

use crate::calendar::{Period, Resolution};
use crate::meter::Cell;
use crate::quality::{Flag, Quality};
use crate::{Energy, Register};

/// Below this share of known time a bucket is incomplete: 98 of 100.
const COMPLETE: (i64, i64) = (98, 100);

/// Energy of one direction in one bucket of any width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Energy in mWh. None: nothing is known; 0: known to be nothing.
    pub mwh: Option<i64>,
    /// Time that is known and no gap for this width, in ms.
    pub known_ms: i64,
    /// What is special about it.
    pub quality: Quality,
}

/// The totals of one direction: one for each period, from the cells of its parts. `cells` begin with the first
/// period, and each has the resolution's part as its width.
#[must_use]
pub fn totals(cells: &[Cell], register: Register, periods: &[Period], resolution: Resolution) -> Vec<Total> {
    let mut rest = cells;
    let total = |period: &Period| {
        let parts = usize::try_from(period.us() / resolution.part_us()).unwrap_or(0).min(rest.len());
        let (mine, later) = rest.split_at(parts);
        rest = later;
        let energies = mine.iter().map(|cell| Total::of(cell.energy(register), resolution));
        energies.fold(Total::default(), Total::and)
    };
    periods.iter().map(total).collect()
}

/// The edges of the parts that these periods are summed of.
#[must_use]
pub fn part_edges_us(periods: &[Period], resolution: Resolution) -> Vec<i64> {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return Vec::new() };
    let part_us = resolution.part_us();
    let parts = (last.end_us - first.start_us) / part_us;
    (0..=parts).map(|number| first.start_us + number * part_us).collect()
}

// === impl Cell ===

impl Cell {
    /// One direction of it.
    #[must_use]
    pub const fn energy(&self, register: Register) -> &Energy {
        match register {
            Register::Import => &self.import,
            Register::Export => &self.export,
        }
    }
}

// === impl Total ===

impl Total {
    /// What a part gives to a bucket of this width. Whether an interval is a gap depends on the width asked for, so
    /// the flag comes from the classes of known time.
    #[must_use]
    pub fn of(energy: &Energy, resolution: Resolution) -> Self {
        let (known, above) = energy.coverage_ms.split_at(resolution.classes());
        let quality = energy.quality.without(Flag::Gap);
        // Less than a ms above the limit is cut away, but not forgotten.
        let is_cut = resolution.classes() == 1 && energy.quality.has(Flag::Gap);
        let is_gap = is_cut || above.iter().any(|ms| *ms > 0);
        Self {
            mwh: energy.mwh,
            known_ms: known.iter().copied().map(i64::from).sum(),
            quality: if is_gap { quality.with(Flag::Gap) } else { quality },
        }
    }

    /// Both together. What is unknown adds nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            mwh: sum(self.mwh, other.mwh),
            known_ms: self.known_ms + other.known_ms,
            quality: self.quality.union(other.quality),
        }
    }

    /// Whether too little of so long a time is known.
    #[must_use]
    pub const fn is_incomplete(&self, ms: i64) -> bool {
        self.known_ms * COMPLETE.1 < ms * COMPLETE.0
    }
}

/// Both together; none is unknown and adds nothing.
#[must_use]
pub const fn sum(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (Some(known), None) | (None, Some(known)) => Some(known),
        (None, None) => None,
    }
}
