//! Single quarter-hours, taken apart into slot × component.

use super::{Portion, Slot, SlotLine, instant, instant_us, money, name};
use crate::clock::Quarter;
use crate::model::Question;
use crate::number::{PRICE_PLACES, short};
use crate::set::Set;

/// 10⁻¹⁵ of a currency.
const UNITS: i128 = 1_000_000_000_000_000;

pub(super) fn slots(question: &Question, set: &Set<'_>) -> Vec<Slot> {
    question.explain.iter().map(|quarter| slot(*quarter, set)).collect()
}

fn slot(quarter: Quarter, set: &Set<'_>) -> Slot {
    let mut lines = Vec::new();
    for (course, shown) in set.courses.iter().zip(&set.shown) {
        let Some(interval) = course.interval(quarter) else { continue };
        for (line, shown) in course.lines.iter().zip(shown) {
            let Ok(place) = shown.binary_search_by_key(&interval, |(place, _)| *place) else { continue };
            let (shown, cell) = (&shown[place].1, line.cell(interval));
            let probe = line.probes.get(&interval).cloned().unwrap_or_default();
            let portion = |(mwh, price): &(i64, i64)| Portion {
                mwh: *mwh,
                price: short((*price).into(), PRICE_PLACES),
            };
            lines.push(SlotLine {
                name: name(course, line),
                quantity_mwh: shown.quantity_mwh,
                portions: probe.portions.iter().map(portion).collect(),
                published: probe.published_us.map(instant_us),
                base: cell.has_amount.then(|| cell.base.text(UNITS)),
                amount: shown.amount.map(money),
                vat: shown.vat.map(money),
                flags: shown.flags.words(),
            });
        }
    }
    Slot { start: instant(quarter), lines }
}
