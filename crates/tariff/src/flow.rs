//! Energies of meters and of the home, quarter-hour by quarter-hour.

use std::ops::Range;

use crate::clock::Quarter;
use crate::flags::Flags;
use crate::model::{Measure, Meter, Role, Run, ValueKind};

/// What flowed in a quarter-hour, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) mwh: i64,
    pub(crate) is_known: bool,
    /// `no_energy` also where only a part is known.
    pub(crate) flags: Flags,
}

/// What one meter measured.
#[derive(Clone, Debug)]
pub(crate) struct Metered {
    role: Role,
    import: Vec<Flow>,
    export: Vec<Flow>,
    /// Whether it has a register of import, and one of export: what it lacks counts 0 in a net.
    has: (bool, bool),
}

/// All meters in a window.
#[derive(Clone, Debug)]
pub(crate) struct Flows {
    pub(crate) window: Range<Quarter>,
    meters: Vec<Metered>,
}

/// The home in a quarter-hour in which all of it is known, in mWh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) import: i64,
    pub(crate) export: i64,
    pub(crate) production: i64,
    pub(crate) charged: i64,
    pub(crate) discharged: i64,
}

const UNKNOWN: Flow = Flow { mwh: 0, is_known: false, flags: Flags::NO_ENERGY };

// === impl Flow ===

impl Flow {
    fn minus(self, other: Self) -> Self {
        if self.is_known && other.is_known {
            Self { mwh: self.mwh - other.mwh, is_known: true, flags: self.flags | other.flags }
        } else {
            UNKNOWN
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            mwh: self.mwh + other.mwh,
            is_known: self.is_known || other.is_known,
            flags: self.flags | other.flags,
        }
    }
}

// === impl Metered ===

impl Metered {
    fn net(&self) -> Vec<Flow> {
        let of = |flow: Flow, has: bool| {
            if has { flow } else { Flow { mwh: 0, is_known: true, flags: Flags::NONE } }
        };
        let (has_import, has_export) = if self.has == (false, false) { (true, true) } else { self.has };
        let pairs = self.import.iter().zip(&self.export);
        pairs.map(|(import, export)| of(*import, has_import).minus(of(*export, has_export))).collect()
    }
}

// === impl Flows ===

impl Flows {
    pub(crate) fn new(meters: &[Meter], window: Range<Quarter>) -> Self {
        let metered = |meter: &Meter| {
            let length = usize::try_from(window.end - window.start).unwrap_or(0);
            let (mut import, mut export) = (vec![UNKNOWN; length], vec![UNKNOWN; length]);
            for run in &meter.runs {
                write(&mut import, run, &run.import_mwh, &window);
                write(&mut export, run, &run.export_mwh, &window);
            }
            let has =
                |list: fn(&Run) -> &Vec<Option<i64>>| meter.runs.iter().any(|run| !list(run).is_empty());
            let has = (has(|run| &run.import_mwh), has(|run| &run.export_mwh));
            Metered { role: meter.role, import, export, has }
        };
        Self { meters: meters.iter().map(metered).collect(), window: window.clone() }
    }

    /// The sum of meters in a direction.
    pub(crate) fn of(&self, meters: &[usize], measure: Measure) -> Vec<Flow> {
        let of_one = |meter: &Metered| match measure {
            Measure::Import => meter.import.clone(),
            Measure::Export => meter.export.clone(),
            Measure::Net => meter.net(),
        };
        let mut meters = meters.iter().map(|place| of_one(&self.meters[*place]));
        let Some(mut sum) = meters.next() else {
            return vec![UNKNOWN; self.index(self.window.end)];
        };
        for flows in meters {
            sum.iter_mut().zip(flows).for_each(|(sum, flow)| *sum = sum.plus(flow));
        }
        sum
    }

    pub(crate) fn index(&self, quarter: Quarter) -> usize {
        usize::try_from(quarter - self.window.start).unwrap_or(0)
    }

    /// What a load took.
    pub(crate) fn load(&self, meter: usize, quarter: Quarter) -> Flow {
        self.meters[meter].import[self.index(quarter)]
    }

    /// The grid meters.
    pub(crate) fn grid(&self) -> Vec<usize> {
        let grid = self.meters.iter().enumerate().filter(|(_, meter)| meter.role == Role::Grid);
        grid.map(|(place, _)| place).collect()
    }

    /// None where a meter of grid, production or storage says nothing at all, or there is no grid meter.
    pub(crate) fn home(&self, quarter: Quarter) -> Option<(Home, Flags)> {
        let at = self.index(quarter);
        let mut home = Home { import: 0, export: 0, production: 0, charged: 0, discharged: 0 };
        let (mut flags, mut has_grid) = (Flags::NONE, false);
        for meter in self.meters.iter().filter(|meter| meter.role != Role::Load) {
            let (import, export) = (meter.import[at], meter.export[at]);
            if !import.is_known && !export.is_known {
                return None;
            }
            flags |= (import.flags | export.flags).only(Flags::ESTIMATED);
            match meter.role {
                Role::Grid => {
                    home.import += import.mwh;
                    home.export += export.mwh;
                    has_grid = true;
                }
                Role::Storage => {
                    home.charged += import.mwh;
                    home.discharged += export.mwh;
                }
                Role::Production | Role::Load => home.production += export.mwh,
            }
        }
        has_grid.then_some((home, flags))
    }

    /// As if nothing had been used at home at once, or without the battery; where the home is not known, as it is.
    pub(crate) fn without(&self, kind: ValueKind) -> Self {
        let mut other = self.clone();
        let grid = self.grid();
        grid.iter().for_each(|meter| other.meters[*meter].has = (true, true));
        for quarter in self.window.clone() {
            let Some((home, _)) = self.home(quarter) else { continue };
            let at = self.index(quarter);
            for (place, meter) in grid.iter().enumerate() {
                let meter = &mut other.meters[*meter];
                let is_first = place == 0;
                let (import, export) = match kind {
                    ValueKind::SelfUse if is_first => {
                        (meter.import[at].mwh + home.self_used(), meter.export[at].mwh + home.self_used())
                    }
                    ValueKind::SelfUse => continue,
                    ValueKind::Battery if is_first => {
                        let rest = home.consumption() - home.production;
                        (rest.max(0), (-rest).max(0))
                    }
                    ValueKind::Battery => (0, 0),
                };
                for (flow, mwh) in [(&mut meter.import[at], import), (&mut meter.export[at], export)] {
                    *flow = Flow { mwh, is_known: true, flags: flow.flags.only(Flags::ESTIMATED) };
                }
            }
        }
        other
    }
}

// === impl Home ===

impl Home {
    pub(crate) const fn consumption(&self) -> i64 {
        self.import - self.export + self.production + self.discharged - self.charged
    }

    /// What came from the roof or the battery and was used.
    pub(crate) fn self_used(&self) -> i64 {
        let own = (self.production + self.discharged - self.charged - self.export).max(0);
        own.min(self.consumption().max(0))
    }
}

/// A list repeats from its run's begin on.
fn write(flows: &mut [Flow], run: &Run, list: &[Option<i64>], window: &Range<Quarter>) {
    let (from, to) = (run.span.start.max(window.start), run.span.end.min(window.end));
    if list.is_empty() || from >= to {
        return;
    }
    let index = |quarters: i64| usize::try_from(quarters).unwrap_or(0);
    let mut place = index(from - run.span.start) % list.len();
    for flow in &mut flows[index(from - window.start)..index(to - window.start)] {
        let flags = if run.estimated { Flags::ESTIMATED } else { Flags::NONE };
        *flow = list[place].map_or(UNKNOWN, |mwh| Flow { mwh, is_known: true, flags });
        place = if place + 1 == list.len() { 0 } else { place + 1 };
    }
}
