//! What the roof or the battery saved: the same agreements with other energies, less what was paid.

use super::shares::with_percentages;
use super::{UNKNOWN_HOME, Value, money};
use crate::course::{Course, Gaps, Looks};
use crate::exact::{Beyond, Exact, Rounding};
use crate::flags::Flags;
use crate::line::Cell;
use crate::model::{Measure, ValueKind};
use crate::set::Set;
use crate::world::World;

/// 10⁻¹⁵ in 10⁻⁶.
const MICRO: i128 = 1_000_000_000;

/// What energy cost in one currency.
struct Energies {
    bought: Exact,
    sold: Exact,
    flags: Flags,
}

pub(super) fn values(world: &World<'_>, set: &Set<'_>) -> Result<Vec<Value>, Beyond> {
    let looks = Looks::default();
    let mut found = Vec::new();
    for &kind in &world.question.values {
        let flows = world.flows.without(kind);
        let mut gaps = Gaps::new(&world.question.range);
        let agreements = world.question.agreements.iter();
        let others = agreements
            .map(|agreement| Course::new(world, &flows, agreement, &looks, &mut gaps))
            .collect::<Result<Vec<_>, _>>()?;
        let (energy, mut unknown) = energy(world, kind);
        for currency in set.currencies() {
            let own = energies(&set.courses, currency)?;
            let other = energies(&others, currency)?;
            let micro = |exact: Exact| exact.rounded(1, MICRO, Rounding::Floor);
            let not_bought = micro(other.bought.minus(own.bought)?)?;
            let not_sold = micro(own.sold.minus(other.sold)?)?;
            unknown |= own.flags;
            found.push(Value {
                kind: match kind {
                    ValueKind::SelfUse => "self_use",
                    ValueKind::Battery => "battery",
                },
                currency: currency.to_owned(),
                energy_mwh: energy,
                not_bought: money(not_bought),
                not_sold: money(not_sold),
                amount: money(not_bought - not_sold),
                flags: unknown.words(),
            });
        }
    }
    Ok(found)
}

/// What was used at once, or came from the battery, in mWh; none where it is never known.
fn energy(world: &World<'_>, kind: ValueKind) -> (Option<i64>, Flags) {
    let (mut sum, mut flags) = (None, Flags::NONE);
    for quarter in world.question.range.clone() {
        let Some((home, own)) = world.flows.home(quarter) else {
            flags |= UNKNOWN_HOME;
            continue;
        };
        flags |= own;
        let mwh = match kind {
            ValueKind::SelfUse => home.self_used(),
            ValueKind::Battery => home.discharged,
        };
        sum = Some(sum.unwrap_or(0) + mwh);
    }
    (sum, flags)
}

fn energies(courses: &[Course<'_>], currency: &str) -> Result<Energies, Beyond> {
    let mut sums = Energies { bought: Exact::ZERO, sold: Exact::ZERO, flags: Flags::NONE };
    for course in courses.iter().filter(|course| course.tariff.currency == currency) {
        for line in &course.lines {
            let Some(measure) = course.measure(line) else { continue };
            let mut sum = Cell::ABSENT;
            for (place, cell) in line.cells() {
                if course.intervals[place].bucket.is_some() {
                    sum.add(cell)?;
                }
            }
            let amount = with_percentages(course, line, sum.base)?;
            sums.flags |= sum.flags;
            let side = if measure == Measure::Export { &mut sums.sold } else { &mut sums.bought };
            *side = side.plus(amount)?;
        }
    }
    Ok(sums)
}
