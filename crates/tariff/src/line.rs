//! The smallest thing that is shown: a component of a version, in a band, over intervals.

use std::collections::BTreeMap;

use crate::exact::{Beyond, Exact};
use crate::flags::Flags;

/// What a line has in an interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    /// In the tariff's own basis, 10⁻¹⁵ of the currency.
    pub(crate) base: Exact,
    pub(crate) quantity_mwh: i64,
    pub(crate) flags: Flags,
    /// The line holds here.
    pub(crate) is_present: bool,
    pub(crate) has_energy: bool,
    pub(crate) has_amount: bool,
}

/// What is remembered of a quarter-hour that somebody looks at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// mWh, and its price in 10⁻⁹ per kWh.
    pub(crate) portions: Vec<(i64, i64)>,
    pub(crate) published_us: Option<i64>,
    /// What the next kWh would cost: of the tier in which the counter stands, of an export the first one.
    pub(crate) next_price: Option<i64>,
}

/// One line of an agreement.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) version: usize,
    pub(crate) component: usize,
    pub(crate) band: Option<String>,
    /// The interval of the first cell.
    first: usize,
    cells: Vec<Cell>,
    /// By interval.
    pub(crate) probes: BTreeMap<usize, Probe>,
}

// === impl Cell ===

impl Cell {
    pub(crate) const ABSENT: Self = Self {
        base: Exact::ZERO,
        quantity_mwh: 0,
        flags: Flags::NONE,
        is_present: false,
        has_energy: false,
        has_amount: false,
    };

    /// An amount that is known.
    pub(crate) const fn of(base: Exact) -> Self {
        Self { base, is_present: true, has_amount: true, ..Self::ABSENT }
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Beyond> {
        self.base = if self.base.is_zero() { other.base } else { self.base.plus(other.base)? };
        self.quantity_mwh += other.quantity_mwh;
        self.flags |= other.flags;
        self.is_present |= other.is_present;
        self.has_energy |= other.has_energy;
        self.has_amount |= other.has_amount;
        Ok(())
    }
}

// === impl Line ===

impl Line {
    pub(crate) fn new(version: usize, component: usize, band: Option<String>) -> Self {
        Self { version, component, band, first: 0, cells: Vec::new(), probes: BTreeMap::new() }
    }

    pub(crate) fn cell(&self, interval: usize) -> &Cell {
        interval.checked_sub(self.first).and_then(|place| self.cells.get(place)).unwrap_or(&Cell::ABSENT)
    }

    /// Intervals come in order, but a line may be written to more than once.
    pub(crate) fn add(&mut self, interval: usize, cell: &Cell) -> Result<(), Beyond> {
        if self.cells.is_empty() {
            self.first = interval;
        }
        while interval < self.first {
            self.cells.insert(0, Cell::ABSENT);
            self.first -= 1;
        }
        while self.first + self.cells.len() <= interval {
            self.cells.push(Cell::ABSENT);
        }
        self.cells[interval - self.first].add(cell)
    }

    /// The cells of the line, with the intervals that they lie in.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (usize, &Cell)> {
        (self.first..).zip(&self.cells)
    }
}
