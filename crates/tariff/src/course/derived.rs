//! What is a part of other components: percentages, and minima.

use std::ops::Range;

use super::Work;
use super::fixed::AMOUNT;
use crate::clock::Quarter;
use crate::day::Day;
use crate::exact::{Beyond, Exact};
use crate::flags::Flags;
use crate::line::{Cell, Line};
use crate::model::{Component, Kind, Per};

/// 100 % in 10⁻¹⁰.
const WHOLE: i128 = 10_000_000_000;

/// A minimum looks at all versions, of which a later one may take a percentage of the minimum: so each is computed as
/// soon as all that it names is.
pub(super) fn derived(work: &mut Work<'_>) -> Result<(), Beyond> {
    let all = work.components();
    let mut open: Vec<usize> = (0..all.len()).filter(|place| is_derived(all[*place].2)).collect();
    while !open.is_empty() {
        let is_ready = |place: &usize| {
            let (version, _, component, _) = &all[*place];
            let waits = |other: &usize| {
                let (of_version, of_place, named, _) = &all[*other];
                match &component.kind {
                    Kind::Percent { of, .. } => of_version == version && of.contains(of_place),
                    Kind::Minimum { of, .. } => of.contains(&named.id),
                    _ => false,
                }
            };
            !open.iter().any(waits)
        };
        let (ready, rest): (Vec<usize>, Vec<usize>) = open.iter().partition(|place| is_ready(place));
        if ready.is_empty() {
            return Err(Beyond);
        }
        for place in ready {
            let (version, component, one, held) = &all[place];
            match &one.kind {
                Kind::Percent { part, of } => percent(work, *version, *component, *part, of)?,
                Kind::Minimum { amount, per, of } => {
                    minimum(work, (*version, *component), *amount, *per, of, held)?;
                }
                _ => {}
            }
        }
        open = rest;
    }
    Ok(())
}

fn is_derived(component: &Component) -> bool {
    matches!(component.kind, Kind::Percent { .. } | Kind::Minimum { .. })
}

fn percent(
    work: &mut Work<'_>,
    version: usize,
    component: usize,
    part: i64,
    of: &[usize],
) -> Result<(), Beyond> {
    let part = Exact::over(part.into(), WHOLE).reduced();
    let mut cells: Vec<Cell> = vec![Cell::ABSENT; work.intervals.len()];
    let named = work.lines.iter().filter(|line| line.version == version && of.contains(&line.component));
    for (interval, cell) in named.flat_map(Line::cells) {
        cells[interval].add(&Cell { quantity_mwh: 0, has_energy: false, ..*cell })?;
    }
    for (interval, cell) in cells.into_iter().enumerate().filter(|(_, cell)| cell.is_present) {
        let base = part.of(cell.base)?;
        work.book(version, component, interval, &Cell { base, ..cell })?;
    }
    Ok(())
}

fn minimum(
    work: &mut Work<'_>,
    (version, component): (usize, usize),
    amount: i64,
    per: Per,
    of: &[String],
    held: &Range<Quarter>,
) -> Result<(), Beyond> {
    let periods: Vec<Range<Day>> = work.periods(per).collect();
    for period in periods {
        let span = work.clock.span(&period);
        let own = span.start.max(work.agreement.held.start)..span.end.min(work.agreement.held.end);
        let is_seen = own.start >= work.span.start && own.end <= work.span.end;
        if own.is_empty() || !is_seen || !held.contains(&(own.end - 1)) {
            continue;
        }
        let (sum, flags) = sum(work, of, &own)?;
        let days = i128::from(work.agreement.days_held(&period));
        let due =
            Exact::whole(i128::from(amount) * AMOUNT).times(days, (period.end - period.start).into())?;
        let base = due.minus(sum)?;
        if base.is_positive() {
            let interval = work.meeting(&(own.end - 1..own.end)).start;
            work.book(version, component, interval, &Cell { flags, ..Cell::of(base) })?;
        }
    }
    Ok(())
}

/// Of the named components of all versions, over whole intervals.
fn sum(work: &Work<'_>, of: &[String], span: &Range<Quarter>) -> Result<(Exact, Flags), Beyond> {
    let intervals = work.meeting(span);
    let mut sum = Cell::ABSENT;
    for line in &work.lines {
        let id = &work.tariff.versions[line.version].components[line.component].id;
        if of.contains(id) {
            for interval in intervals.clone() {
                sum.add(line.cell(interval))?;
            }
        }
    }
    let unsure = sum.flags.has(Flags::NO_ENERGY | Flags::NO_PRICE | Flags::PROVISIONAL);
    let others = sum.flags.only(Flags::ESTIMATED | Flags::ESTIMATED_PRICE);
    Ok((sum.base, others | if unsure { Flags::PROVISIONAL } else { Flags::NONE }))
}
