//! Charges for the highest power of months.

use std::cmp::Reverse;
use std::ops::Range;

use super::Work;
use super::fixed::AMOUNT;
use crate::bands::Conditions;
use crate::clock::Quarter;
use crate::day::{self, Day};
use crate::exact::{Beyond, Exact};
use crate::flags::Flags;
use crate::intervals::months;
use crate::line::Cell;
use crate::model::{Capacity, Charge, Kind};

/// What a month is charged, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Month {
    pub(crate) version: usize,
    pub(crate) component: usize,
    /// Its first day.
    pub(crate) first: Day,
    /// In 10⁻⁹ kW; none where no window is known.
    pub(crate) peak: Option<Exact>,
    /// Where the windows begin that make the peak.
    pub(crate) at: Vec<Quarter>,
    /// In 10⁻⁹ kW.
    pub(crate) billed: Option<Exact>,
    /// In the tariff's basis, 10⁻¹⁵ of the currency.
    pub(crate) amount: Option<Exact>,
    pub(crate) flags: Flags,
}

/// The highest windows of a month.
#[derive(Clone, Default)]
struct Peak {
    kw: Option<Exact>,
    at: Vec<Quarter>,
    flags: Flags,
}

/// A window that is known.
struct Window {
    start: Quarter,
    day: Day,
    /// kW in units of `SIZE`.
    size: i128,
    flags: Flags,
}

/// Windows of 1, 2, 3 and 4 quarter-hours are whole numbers of a twelfth.
const TWELFTHS: i128 = 12;
/// mWh in a quarter-hour as 10⁻⁹ kW.
const KW: i128 = 4_000;
/// A weight of 1.
const WEIGHT: i128 = 1_000_000_000;
/// What a size is divided by to be 10⁻⁹ kW.
const SIZE: i128 = TWELFTHS * WEIGHT;
/// 10⁻⁹ kW × a price in 10⁻⁹, in 10⁻¹⁵.
const PER_KW: i128 = 1_000;

/// Books what is over, and tells of each month that the range meets.
pub(super) fn capacity(work: &mut Work<'_>) -> Result<Vec<Month>, Beyond> {
    let range = work.world.question.range.clone();
    let mut found = Vec::new();
    for (version, component, one, _) in work.components() {
        let Kind::Capacity(capacity) = &one.kind else { continue };
        let firsts: Vec<Day> = months(&work.span, work.clock).collect();
        let peaks = firsts.iter().map(|first| peak(work, capacity, *first)).collect::<Result<Vec<_>, _>>()?;
        for (place, first) in firsts.iter().enumerate() {
            let days = days(work, version, *first);
            if days.is_empty() {
                continue;
            }
            let averaged = (place + 1).saturating_sub(capacity.average_months as usize)..place + 1;
            let mut month = charge(work, capacity, &peaks[averaged], *first, &days)?;
            (month.version, month.component) = (version, component);
            let span = work.clock.span(&day::month(*first));
            let end = span.end.min(work.agreement.held.end);
            if end <= range.end {
                let interval = work.meeting(&(end - 1..end)).start;
                let cell = Cell {
                    has_amount: month.amount.is_some(),
                    ..Cell::of(month.amount.unwrap_or(Exact::ZERO))
                };
                work.book(version, component, interval, &Cell { flags: month.flags, ..cell })?;
            } else {
                month.flags |= Flags::OPEN;
            }
            if end > range.start {
                found.push(month);
            }
        }
    }
    Ok(found)
}

/// The dates of a month on which agreement and version hold.
fn days(work: &Work<'_>, version: usize, first: Day) -> Range<Day> {
    let (month, versions) = (day::month(first), &work.tariff.versions);
    let next = versions.get(version + 1).map_or(Day::MAX, |next| next.from);
    let from = month.start.max(versions[version].from).max(work.agreement.days.start);
    from..month.end.min(next).min(work.agreement.days.end)
}

fn charge(
    work: &Work<'_>,
    capacity: &Capacity,
    peaks: &[Peak],
    first: Day,
    days: &Range<Day>,
) -> Result<Month, Beyond> {
    let own = peaks.last().cloned().unwrap_or_default();
    let known: Vec<Exact> = peaks.iter().filter_map(|peak| peak.kw).collect();
    let sum = known.iter().try_fold(Exact::ZERO, |sum, kw| sum.plus(*kw))?;
    let billed = known.first().map(|_| sum.times(1, known.len() as i128)).transpose()?;
    let mut flags = peaks.iter().fold(Flags::NONE, |flags, peak| flags | peak.flags);
    let mut amount = billed.map(|billed| amount(capacity, billed, first, days)).transpose()?;
    if let (Some(most), Some(own)) = (capacity.max_per_kwh, amount) {
        let (mwh, is_whole) = energy(work, days);
        let cap = Exact::whole(i128::from(most) * i128::from(mwh));
        amount = Some(if cap.compare(own)?.is_lt() { cap } else { own });
        flags |= if is_whole { Flags::NONE } else { Flags::PROVISIONAL };
    }
    if amount.is_none() {
        flags |= Flags::NO_ENERGY;
    }
    Ok(Month { version: 0, component: 0, first, peak: own.kw, at: own.at, billed, amount, flags })
}

fn amount(capacity: &Capacity, billed: Exact, first: Day, days: &Range<Day>) -> Result<Exact, Beyond> {
    let whole = match &capacity.charge {
        Charge::PerKw(price) => billed.times(i128::from(*price), PER_KW)?,
        Charge::Steps { steps, lower } => {
            let mut fitting = None;
            for (from_kw, price) in steps {
                let edge = Exact::whole(i128::from(*from_kw)).compare(billed)?;
                // Nothing lies below a first step that begins at 0.
                if edge.is_lt() || edge.is_eq() && (!lower || *from_kw == 0) {
                    fitting = Some(*price);
                }
            }
            Exact::whole(i128::from(fitting.unwrap_or(0)) * AMOUNT)
        }
    };
    let period = if capacity.per_year { day::year(first) } else { day::month(first) };
    whole.times((days.end - days.start).into(), (period.end - period.start).into())
}

/// mWh of dates, and whether all of it is known.
fn energy(work: &Work<'_>, days: &Range<Day>) -> (i64, bool) {
    let span = work.clock.span(days);
    let (from, to) = (span.start.max(work.span.start), span.end.min(work.span.end));
    if from >= to {
        return (0, true);
    }
    let flows = &work.import[work.index(from)..work.index(to)];
    (flows.iter().map(|flow| flow.mwh).sum(), !flows.iter().any(|flow| flow.flags.has(Flags::NO_ENERGY)))
}

fn peak(work: &Work<'_>, capacity: &Capacity, first: Day) -> Result<Peak, Beyond> {
    let mut flags = Flags::NONE;
    let mut windows = windows(work, capacity, first, &mut flags);
    windows.sort_by_key(|window| (Reverse(window.size), window.start));
    let mut highest: Vec<&Window> = Vec::new();
    for window in &windows {
        if highest.len() == capacity.highest {
            break;
        }
        if !(capacity.distinct_days && highest.iter().any(|other| other.day == window.day)) {
            highest.push(window);
        }
    }
    if highest.is_empty() {
        return Ok(Peak { flags, ..Peak::default() });
    }
    let sum = highest.iter().map(|window| window.size).sum();
    let mean = Exact::over(sum, SIZE * highest.len() as i128).reduced();
    let least = Exact::whole(capacity.min_kw.into());
    let kw = if mean.compare(least)?.is_lt() { least } else { mean };
    flags |= highest.iter().fold(Flags::NONE, |flags, window| flags | window.flags).only(Flags::ESTIMATED);
    Ok(Peak { kw: Some(kw), at: highest.iter().map(|window| window.start).collect(), flags })
}

/// Those that begin in the month, lie whole in the agreement and before the range's end, fit, and are known.
fn windows(work: &Work<'_>, capacity: &Capacity, first: Day, flags: &mut Flags) -> Vec<Window> {
    let calendars = &work.world.question.calendars;
    let clock = work.world.clock(capacity.days.zone.unwrap_or(work.agreement.zone));
    let mut fitting = Conditions::new(vec![&capacity.when], &capacity.days, calendars);
    let mut weights =
        Conditions::new(capacity.weights.iter().map(|(when, _)| when).collect(), &capacity.days, calendars);
    let month = work.clock.span(&day::month(first));
    let mut found = Vec::new();
    let mut quarter = month.start.max(work.span.start);
    while quarter < month.end.min(work.span.end) {
        let local = clock.at(quarter);
        let is_with = |other: Quarter| clock.at(other).is_with(local, capacity.quarters);
        let end = (quarter + 1..=quarter + 4).find(|other| !is_with(*other)).unwrap_or(quarter + 1);
        let (start, is_begin) = (quarter, !is_with(quarter - 1));
        quarter = end;
        if !is_begin || end > work.span.end || fitting.first(local).is_none() {
            continue;
        }
        let flows = &work.import[work.index(start)..work.index(end)];
        let of_all = flows.iter().fold(Flags::NONE, |flags, flow| flags | flow.flags);
        if of_all.has(Flags::NO_ENERGY) {
            *flags |= Flags::PROVISIONAL;
        }
        if flows.iter().all(|flow| flow.is_known) {
            let weight =
                weights.first(local).map_or(WEIGHT, |place| capacity.weights[usize::from(place)].1.into());
            let mwh: i64 = flows.iter().map(|flow| flow.mwh).sum();
            let size = i128::from(mwh) * KW * weight * (TWELFTHS / i128::from(end - start));
            found.push(Window { start, day: local.day, size, flags: of_all });
        }
    }
    found
}
