//! Bills: exact sums of a billing period, each line rounded, then VAT once per rate.

use std::ops::Range;

use super::{Bill, BillLine, BillVat};
use crate::clock::Quarter;
use crate::course::Course;
use crate::day::{self, Day};
use crate::exact::{Beyond, Exact};
use crate::flags::Flags;
use crate::line::Cell;
use crate::model::{Per, Tariff};
use crate::number::{VAT_PLACES, fixed, short};
use crate::set::Set;
use crate::world::World;

/// 10⁻¹⁵ as a power.
const EXACT_PLACES: u32 = 15;
const WHOLE: i128 = 1_000_000;

pub(super) fn bills(world: &World<'_>, set: &Set<'_>) -> Result<Vec<Bill>, Beyond> {
    let mut found = Vec::new();
    for course in set.courses.iter().filter(|course| !course.intervals.is_empty()) {
        let clock = world.clock(course.agreement.zone);
        let range = &world.question.range;
        let met = range.start.max(course.agreement.held.start)..range.end.min(course.agreement.held.end);
        if met.is_empty() {
            continue;
        }
        let last = clock.at(met.end - 1).day;
        let mut period = course.agreement.period(Per::Billing, clock.at(met.start).day);
        while period.start <= last {
            let span = clock.span(&period);
            found.push(bill(course, range, &period, &span)?);
            period = course.agreement.period(Per::Billing, period.end);
        }
    }
    Ok(found)
}

fn bill(
    course: &Course<'_>,
    range: &Range<Quarter>,
    period: &Range<Day>,
    span: &Range<Quarter>,
) -> Result<Bill, Beyond> {
    let (agreement, tariff) = (course.agreement, course.tariff);
    let held = span.start.max(agreement.held.start)..span.end.min(agreement.held.end);
    let (mut lines, mut flags) = (Vec::new(), Flags::NONE);
    let mut rates: Vec<(i64, i128)> = Vec::new();
    for line in &course.lines {
        let mut sum = Cell::ABSENT;
        for (place, cell) in line.cells() {
            let interval = &course.intervals[place];
            if interval.bucket.is_some() && span.contains(&interval.span.start) {
                sum.add(cell)?;
            }
        }
        if !sum.is_present {
            continue;
        }
        flags |= sum.flags;
        let component = course.component(line);
        let rounded = sum.base.rounded(1, 10_i128.pow(EXACT_PLACES - tariff.digits), tariff.rounding)?;
        match rates.iter_mut().find(|(rate, _)| *rate == component.vat) {
            Some((_, base)) => *base += rounded,
            None => rates.push((component.vat, rounded)),
        }
        lines.push(BillLine {
            version: day::text(course.version(line).from),
            component: component.id.clone(),
            band: line.band.clone(),
            quantity_mwh: sum.has_energy.then_some(sum.quantity_mwh),
            vat: short(component.vat.into(), VAT_PLACES),
            amount: sum.has_amount.then(|| fixed(rounded, tariff.digits)),
        });
    }
    rates.sort_unstable();
    let (vat, total) = vat(tariff, &rates)?;
    Ok(Bill {
        agreement: agreement.id.clone(),
        start: day::text(period.start.max(agreement.days.start)),
        end: day::text(period.end.min(agreement.days.end)),
        currency: tariff.currency.clone(),
        partial: range.start > held.start || range.end < held.end,
        prices: if tariff.vat_included { "gross" } else { "net" },
        lines,
        vat,
        total: fixed(total, tariff.digits),
        flags: flags.words(),
    })
}

/// The rows of VAT, and what is to pay.
fn vat(tariff: &Tariff, rates: &[(i64, i128)]) -> Result<(Vec<BillVat>, i128), Beyond> {
    let (mut rows, mut total) = (Vec::new(), 0);
    for &(rate, base) in rates {
        let up = i128::from(rate);
        let down = if tariff.vat_included { WHOLE + up } else { WHOLE };
        let amount = Exact::whole(base).rounded(up, down, tariff.rounding)?;
        total += base + if tariff.vat_included { 0 } else { amount };
        rows.push(BillVat {
            percent: short(rate.into(), VAT_PLACES),
            base: fixed(base, tariff.digits),
            amount: fixed(amount, tariff.digits),
        });
    }
    Ok((rows, total))
}
