//! The balance of a home in each quarter-hour, and its sums.

use std::collections::BTreeMap;

use super::tree::{Member, Members, Role};
use crate::calendar::{Period, Resolution};
use crate::meter::Cell;
use crate::quality::Quality;
use crate::total::{Total, sum};
use crate::{Energy, Register};

/// What a home took, gave, made, kept and used in one bucket, in mWh. None: nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// From the grid.
    pub import_mwh: Option<i64>,
    /// To the grid.
    pub export_mwh: Option<i64>,
    /// Made.
    pub production_mwh: Option<i64>,
    /// Into batteries.
    pub charge_mwh: Option<i64>,
    /// Out of batteries.
    pub discharge_mwh: Option<i64>,
    /// Used: import − export + production + discharge − charge. Below zero it stays, as an imbalance.
    pub consumption_mwh: Option<i64>,
    /// Used of what was made or kept.
    pub self_consumed_mwh: Option<i64>,
    /// Used by what no load measures.
    pub rest_mwh: Option<i64>,
    /// Of each meter that others split: what they leave of it.
    pub rests_mwh: BTreeMap<String, i64>,
    /// Time that each meter of the grid and of production knows, in ms.
    pub known_ms: i64,
    /// The flags of the meters that count.
    pub quality: Quality,
    /// A consumption or a rest is below zero: a meter is missing, in a wrong place, or its clock is wrong.
    pub imbalance: bool,
}

/// The balance of each part of a range. `cells` holds those of each meter, one for each part from `start_us` on; a
/// meter that is not in it has no reading.
#[must_use]
pub fn balances(
    members: &Members,
    cells: &BTreeMap<String, Vec<Cell>>,
    start_us: i64,
    resolution: Resolution,
) -> Vec<Balance> {
    let parts = cells.values().map(Vec::len).max().unwrap_or(0);
    let mut us = start_us;
    let mut balance = |place: usize| {
        let part = Part { members: members.at(us).collect(), cells, place, resolution };
        us += resolution.part_us();
        part.balance()
    };
    (0..parts).map(&mut balance).collect()
}

/// The sum of the parts of each period.
#[must_use]
pub fn sums(parts: &[Balance], periods: &[Period], resolution: Resolution) -> Vec<Balance> {
    let mut rest = parts;
    let mut total = |period: &Period| {
        let count = usize::try_from(period.us() / resolution.part_us()).unwrap_or(0).min(rest.len());
        let (mine, later) = rest.split_at(count);
        rest = later;
        mine.iter().fold(Balance::default(), Balance::and)
    };
    periods.iter().map(&mut total).collect()
}

/// One quarter-hour: who is valid in it, and what they say.
struct Part<'a> {
    members: Vec<&'a Member>,
    cells: &'a BTreeMap<String, Vec<Cell>>,
    place: usize,
    resolution: Resolution,
}

// === impl Role ===

impl Role {
    /// In which directions a meter of this role counts.
    const fn directions(self) -> &'static [Register] {
        match self {
            Self::Grid | Self::Storage => &Register::BOTH,
            Self::Production => &[Register::Export],
            Self::Load => &[Register::Import],
        }
    }

    /// The direction that its parts split.
    const fn own(self) -> Register {
        match self {
            Self::Production => Register::Export,
            Self::Grid | Self::Storage | Self::Load => Register::Import,
        }
    }
}

// === impl Part ===

impl Part<'_> {
    fn balance(&self) -> Balance {
        let mut balance = Balance {
            import_mwh: self.sum(Role::Grid, Register::Import),
            export_mwh: self.sum(Role::Grid, Register::Export),
            production_mwh: self.sum(Role::Production, Register::Export),
            charge_mwh: self.sum(Role::Storage, Register::Import),
            discharge_mwh: self.sum(Role::Storage, Register::Export),
            known_ms: self.known_ms(),
            quality: self.quality(),
            rests_mwh: self.rests(),
            ..Balance::default()
        };
        if self.is_known() {
            let known = |mwh: Option<i64>| mwh.unwrap_or(0);
            let own =
                known(balance.production_mwh) + known(balance.discharge_mwh) - known(balance.charge_mwh);
            let used = known(balance.import_mwh) - known(balance.export_mwh) + own;
            let kept = (own - known(balance.export_mwh)).max(0).min(used.max(0));
            balance.consumption_mwh = Some(used);
            balance.self_consumed_mwh = Some(kept);
            balance.rest_mwh = Some(used - known(self.sum(Role::Load, Register::Import)));
        }
        let shown = [balance.consumption_mwh, balance.rest_mwh];
        let below = |mwh: &i64| *mwh < 0;
        balance.imbalance = shown.iter().flatten().any(below) || balance.rests_mwh.values().any(below);
        balance
    }

    fn cell(&self, meter_id: &str) -> Cell {
        self.cells.get(meter_id).and_then(|cells| cells.get(self.place)).copied().unwrap_or_default()
    }

    /// Those of a role that split no other meter.
    fn tops(&self, role: Role) -> impl Iterator<Item = &Member> {
        self.members.iter().copied().filter(move |member| member.role == role && member.parent.is_none())
    }

    fn sum(&self, role: Role, register: Register) -> Option<i64> {
        self.tops(role).map(|member| self.cell(&member.meter_id).energy(register).mwh).fold(None, sum)
    }

    /// Whether there is a balance: the grid is measured, and of no meter that counts both directions are unknown.
    fn is_known(&self) -> bool {
        let counted = [Role::Grid, Role::Production, Role::Storage];
        let is_known = |member: &Member| {
            let cell = self.cell(&member.meter_id);
            cell.import.mwh.is_some() || cell.export.mwh.is_some()
        };
        self.tops(Role::Grid).next().is_some() && counted.iter().all(|role| self.tops(*role).all(is_known))
    }

    /// What the parts of each meter leave of it. Of one that is not known itself nothing is left to say.
    fn rests(&self) -> BTreeMap<String, i64> {
        let mut rests = BTreeMap::new();
        for member in &self.members {
            let Some(parent) = &member.parent else { continue };
            let register = member.role.own();
            let mwh = self.cell(&member.meter_id).energy(register).mwh.unwrap_or(0);
            if let Some(whole) = self.cell(parent).energy(register).mwh {
                *rests.entry(parent.clone()).or_insert(whole) -= mwh;
            }
        }
        rests
    }

    fn known_ms(&self) -> i64 {
        let meters = [Role::Grid, Role::Production].into_iter().flat_map(|role| self.tops(role));
        meters.map(|member| self.meter_known_ms(member)).min().unwrap_or(0)
    }

    /// A direction that the meter does not have says nothing of what is known.
    fn meter_known_ms(&self, member: &Member) -> i64 {
        let cell = self.cell(&member.meter_id);
        let energies = member.role.directions().iter().map(|register| *cell.energy(*register));
        let there = energies.filter(|energy| !energy.is_empty());
        there.map(|energy| self.total(&energy).known_ms).min().unwrap_or(0)
    }

    fn quality(&self) -> Quality {
        let counted = [Role::Grid, Role::Production, Role::Storage].into_iter();
        let of_member = |member: &Member| {
            let cell = self.cell(&member.meter_id);
            let directions = member.role.directions().iter();
            directions.fold(Quality::NONE, |quality, register| {
                quality.union(self.total(cell.energy(*register)).quality)
            })
        };
        counted.flat_map(|role| self.tops(role)).map(of_member).fold(Quality::NONE, Quality::union)
    }

    fn total(&self, energy: &Energy) -> Total {
        Total::of(energy, self.resolution)
    }
}

// === impl Balance ===

impl Balance {
    /// Both together. What is unknown adds nothing.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (meter_id, mwh) in &other.rests_mwh {
            *self.rests_mwh.entry(meter_id.clone()).or_insert(0) += mwh;
        }
        Self {
            import_mwh: sum(self.import_mwh, other.import_mwh),
            export_mwh: sum(self.export_mwh, other.export_mwh),
            production_mwh: sum(self.production_mwh, other.production_mwh),
            charge_mwh: sum(self.charge_mwh, other.charge_mwh),
            discharge_mwh: sum(self.discharge_mwh, other.discharge_mwh),
            consumption_mwh: sum(self.consumption_mwh, other.consumption_mwh),
            self_consumed_mwh: sum(self.self_consumed_mwh, other.self_consumed_mwh),
            rest_mwh: sum(self.rest_mwh, other.rest_mwh),
            rests_mwh: self.rests_mwh,
            known_ms: self.known_ms + other.known_ms,
            quality: self.quality.union(other.quality),
            imbalance: self.imbalance || other.imbalance,
        }
    }

    /// Which share of what was made stayed in the home. None: nothing was made.
    #[must_use]
    pub fn self_consumption_rate(&self) -> Option<f64> {
        rate(self.self_consumed_mwh, self.production_mwh)
    }

    /// Which share of what was used came from the home itself. None: nothing was used.
    #[must_use]
    pub fn autarky(&self) -> Option<f64> {
        rate(self.self_consumed_mwh, self.consumption_mwh)
    }
}

/// A rate of sums, never a mean of rates.
#[expect(clippy::cast_precision_loss, reason = "mWh of a home")]
fn rate(part: Option<i64>, whole: Option<i64>) -> Option<f64> {
    let whole = whole.filter(|mwh| *mwh > 0)?;
    Some(part? as f64 / whole as f64)
}
