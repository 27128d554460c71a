//! What is due without energy: by the day, and once.

use std::ops::Range;

use super::Work;
use crate::clock::Quarter;
use crate::day::{self, Day};
use crate::exact::{Beyond, Exact, gcd};
use crate::line::Cell;
use crate::model::{Kind, Per};

/// A price in 10⁻⁹ × a number in 10⁻⁹, in 10⁻¹⁵.
const TIMES: i128 = 1_000;
/// A price in 10⁻⁹, in 10⁻¹⁵.
pub(super) const AMOUNT: i128 = 1_000_000;

pub(super) fn fixed(work: &mut Work<'_>) -> Result<(), Beyond> {
    for (version, place, component, held) in work.components() {
        match component.kind {
            Kind::Standing { price, times, per } => {
                let price = Exact::over(i128::from(price) * i128::from(times), TIMES).reduced();
                for interval in work.meeting(&held) {
                    let piece = work.intervals[interval].span.clone();
                    let span = piece.start.max(held.start)..piece.end.min(held.end);
                    let base = standing(work, price, per, &span)?;
                    work.book(version, place, interval, &Cell::of(base))?;
                }
            }
            Kind::Once { day, amount } => {
                let quarter = work.clock.start(day);
                if held.contains(&quarter) && work.clock.at(quarter).day == day {
                    let interval = work.meeting(&(quarter..quarter + 1)).start;
                    let base = Exact::whole(i128::from(amount) * AMOUNT);
                    work.book(version, place, interval, &Cell::of(base))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Of a span within one month: over one denominator for all of the month, so that its sums stay cheap.
fn standing(work: &Work<'_>, price: Exact, per: Per, span: &Range<Quarter>) -> Result<Exact, Beyond> {
    let first = work.clock.at(span.start).day;
    let month = day::month(first);
    let days = match per {
        Per::Day => 1,
        Per::Month | Per::Billing => length(&month),
        Per::Year => length(&day::year(first)),
    };
    let common = month.clone().map(|day| quarters(work, day)).filter(|quarters| *quarters > 0).fold(1, lcm);
    let mut parts = 0;
    for day in first..=work.clock.at(span.end - 1).day {
        let own = work.clock.span(&(day..day + 1));
        let met = own.end.min(span.end) - own.start.max(span.start);
        if met > 0 {
            parts += i128::from(met) * (common / quarters(work, day));
        }
    }
    price.times(parts, days * common)
}

fn quarters(work: &Work<'_>, day: Day) -> i128 {
    let span = work.clock.span(&(day..day + 1));
    i128::from(span.end - span.start)
}

fn length(days: &Range<Day>) -> i128 {
    i128::from(days.end - days.start)
}

fn lcm(one: i128, two: i128) -> i128 {
    one / gcd(one, two) * two
}
