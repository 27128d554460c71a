//! What a load's energy cost: its part of what the home bought, and what its own energy would have earned.

use super::{Share, UNKNOWN_HOME, instant, money};
use crate::clock::Quarter;
use crate::course::Course;
use crate::exact::{Beyond, Exact, Rounding};
use crate::flags::Flags;
use crate::line::{Cell, Line, Probe};
use crate::model::{self, Measure};
use crate::set::Set;
use crate::settle::Vat;
use crate::world::World;

/// Parts of quarter-hours have all denominators there are, so their sum is kept in millionths of what sums are exact in;
/// nothing that is shown can come that near to a half without being one.
const FINE: i128 = 1_000_000;
/// 10⁻¹⁵ in 10⁻⁶.
const MICRO: i128 = 1_000_000_000;
/// 100 % in 10⁻¹⁰.
const WHOLE: i128 = 10_000_000_000;

/// A sum of fractions.
#[derive(Clone, Copy, Default)]
struct Many {
    fine: i128,
    terms: i128,
}

/// What a load took in a quarter-hour, in mWh: `grid` and `own` over one denominator.
struct Load {
    mwh: i64,
    consumption: i64,
    grid: (i128, i128),
    own: (i128, i128),
}

/// In one currency.
#[derive(Clone, Copy, Default)]
struct Costs {
    amount: Many,
    forgone: Many,
}

pub(super) fn shares(world: &World<'_>, set: &Set<'_>) -> Result<Vec<Share>, Beyond> {
    let mut found = Vec::new();
    for share in &world.question.shares {
        found.extend(of_load(world, set, share)?);
    }
    Ok(found)
}

/// One for each currency.
fn of_load(world: &World<'_>, set: &Set<'_>, share: &model::Share) -> Result<Vec<Share>, Beyond> {
    let currencies = set.currencies();
    let mut costs = vec![Costs::default(); currencies.len().max(1)];
    let (mut flags, mut energy, mut grid) = (Flags::NONE, None::<i64>, Many::default());
    for quarter in share.span.clone() {
        let Some((load, of_load)) = load(world, share.meter, quarter) else {
            flags |= UNKNOWN_HOME;
            continue;
        };
        let mut sums = vec![(Exact::ZERO, Exact::ZERO); costs.len()];
        let unknown = quarter_costs(set, quarter, &load, &currencies, &mut sums)?;
        let lacks = lacks(world, set, quarter) | unknown.only(Flags::NO_ENERGY | Flags::NO_PRICE);
        flags |= unknown | lacks | of_load;
        if lacks != Flags::NONE {
            continue;
        }
        energy = Some(energy.unwrap_or(0) + load.mwh);
        grid.add(Exact::over(load.grid.0, load.grid.1))?;
        for (costs, (amount, forgone)) in costs.iter_mut().zip(sums) {
            costs.amount.add(amount)?;
            costs.forgone.add(forgone)?;
        }
    }
    let shown = |many: Many| energy.map(|_| money(many.rounded(MICRO)));
    let one = |(place, costs): (usize, &Costs)| Share {
        meter: world.question.meters[share.meter].id.clone(),
        start: instant(share.span.start),
        end: instant(share.span.end),
        currency: currencies.get(place).map(|currency| (*currency).to_owned()),
        energy_mwh: energy,
        grid_mwh: energy.and_then(|_| i64::try_from(grid.rounded(1)).ok()),
        amount: shown(costs.amount),
        forgone: shown(costs.forgone),
        flags: flags.words(),
    };
    Ok(costs.iter().enumerate().map(one).collect())
}

fn lacks(world: &World<'_>, set: &Set<'_>, quarter: Quarter) -> Flags {
    let place = usize::try_from(quarter - world.question.range.start).unwrap_or(0);
    if set.no_tariff[place] { Flags::NO_TARIFF } else { Flags::NONE }
}

fn load(world: &World<'_>, meter: usize, quarter: Quarter) -> Option<(Load, Flags)> {
    let flow = world.flows.load(meter, quarter);
    let (home, mut flags) = world.flows.home(quarter).filter(|_| flow.is_known)?;
    let (mwh, consumption) = (flow.mwh, home.consumption());
    let is_more = consumption < mwh;
    if is_more {
        flags |= Flags::IMBALANCE;
    }
    // Of more than there is, all; of nothing, nothing.
    let consumption = if is_more || consumption == 0 { mwh } else { consumption };
    let den = i128::from(if consumption == 0 { 1 } else { consumption });
    let all = i128::from(mwh) * den;
    let grid = (i128::from(home.import) * i128::from(mwh)).min(all);
    let load = Load { mwh, consumption, grid: (grid, den), own: (all - grid, den) };
    Some((load, flags | flow.flags))
}

/// Adds to the sums of each currency; says what is not known.
fn quarter_costs(
    set: &Set<'_>,
    quarter: Quarter,
    load: &Load,
    currencies: &[&str],
    sums: &mut [(Exact, Exact)],
) -> Result<Flags, Beyond> {
    let mut flags = Flags::NONE;
    for course in &set.courses {
        let Some(interval) = course.interval(quarter) else { continue };
        let place = currencies.iter().position(|currency| *currency == course.tariff.currency).unwrap_or(0);
        let (amount, forgone) = &mut sums[place];
        for line in &course.lines {
            let (cell, Some(measure)) = (line.cell(interval), course.measure(line)) else { continue };
            if !cell.is_present {
                continue;
            }
            flags |= said(measure, cell);
            let price = line.probes.get(&interval).and_then(|probe: &Probe| probe.next_price);
            match (measure, price) {
                (Measure::Import, _) => {
                    let all = with_percentages(course, line, cell.base)?;
                    if load.consumption != 0 {
                        *amount = amount.plus(all.times(load.mwh.into(), load.consumption.into())?)?;
                    }
                }
                (Measure::Net, Some(price)) => {
                    let rate = with_percentages(course, line, Exact::whole(price.into()))?;
                    *amount = amount.plus(rate.times(load.grid.0, load.grid.1)?)?;
                    *forgone = forgone.plus(rate.times(load.own.0, load.own.1)?)?;
                }
                (Measure::Export, Some(price)) => {
                    let vat = Vat::new(course.tariff, course.component(line));
                    let rate = vat.gross(Exact::whole(price.into()))?;
                    *forgone = forgone.plus(rate.times(load.own.0, load.own.1)?)?;
                }
                (_, None) => flags |= Flags::NO_PRICE,
            }
        }
    }
    Ok(flags)
}

/// Of an export only the price is needed.
fn said(measure: Measure, cell: &Cell) -> Flags {
    match measure {
        Measure::Export => cell.flags.only(Flags::NO_PRICE | Flags::ESTIMATED_PRICE),
        Measure::Import | Measure::Net => cell.flags,
    }
}

/// Gross, with what other components take of it directly.
pub(super) fn with_percentages(course: &Course<'_>, line: &Line, base: Exact) -> Result<Exact, Beyond> {
    let mut sum = Vat::new(course.tariff, course.component(line)).gross(base)?;
    for (part, component) in course.direct_percentages(line) {
        let part = Exact::over(part.into(), WHOLE).reduced().of(base)?;
        sum = sum.plus(Vat::new(course.tariff, component).gross(part)?)?;
    }
    Ok(sum)
}

// === impl Many ===

impl Many {
    fn add(&mut self, term: Exact) -> Result<(), Beyond> {
        self.fine = self.fine.checked_add(term.rounded(FINE, 1, Rounding::Floor)?).ok_or(Beyond)?;
        self.terms += 1;
        Ok(())
    }

    /// In `unit`s, by floor(x + ½): as each term may lack half of the last digit, what lies so near below a half is one.
    fn rounded(self, unit: i128) -> i128 {
        let unit = unit * FINE;
        (2 * (self.fine + self.terms) + unit).div_euclid(2 * unit)
    }
}
