//! Which tariff holds when, for which meters.

use std::ops::Range;

use chrono_tz::Tz;

use super::Refusals;
use super::meters::{Named, of_role};
use crate::clock::{Quarter, day_at, first_instant};
use crate::day::Day;
use crate::fields::{At, Fields, Read};
use crate::model::{Agreement, Role, Tariff};
use crate::refusal::Code;

/// Where an agreement ends that has no end: in the year 2199.
const FAR_DAY: Day = 84_000;
const METERS_MAX: usize = 64;
const BILLING_MONTHS: [i64; 6] = [1, 2, 3, 4, 6, 12];

/// What agreements name.
pub(super) struct Of<'a> {
    pub(super) zone: Tz,
    pub(super) tariffs: &'a [(String, Tariff)],
    pub(super) meters: &'a [Named],
}

/// A set of them, each ended where the next one of its kind begins on one of its meters.
pub(super) fn agreements(list: &[At<'_>], of: &Of<'_>, refusals: &mut Refusals) -> Read<Vec<Agreement>> {
    let mut agreements = refusals.each(list, |at| agreement(at, of));
    refusals.check()?;
    for (place, one) in agreements.iter().enumerate() {
        let twice = agreements[..place].iter().any(|other| other.id == one.id);
        let overlaps = agreements.iter().any(|other| is_rival(one, other, of) && overlap(one, other));
        if twice || overlaps {
            return list[place].refuse(Code::AgreementOverlap);
        }
    }
    let ends: Vec<Quarter> = agreements.iter().map(|one| end(one, &agreements, of)).collect();
    for (agreement, (end, at)) in agreements.iter_mut().zip(ends.into_iter().zip(list)) {
        if end < agreement.held.end {
            agreement.held.end = end;
            // The date of its last quarter-hour is held, though perhaps not whole.
            agreement.days.end = day_at(agreement.zone, end - 1) + 1;
        }
        if agreement.held.is_empty() {
            return at.refuse(Code::AgreementEmpty);
        }
    }
    Ok(agreements)
}

fn is_rival(one: &Agreement, other: &Agreement, of: &Of<'_>) -> bool {
    let kind = |agreement: &Agreement| &of.tariffs[agreement.tariff].1.kind;
    let meets = one.meters.is_empty() && other.meters.is_empty()
        || one.meters.iter().any(|meter| other.meters.contains(meter));
    !std::ptr::eq(one, other) && kind(one) == kind(other) && meets
}

/// Whether the dates of the earlier one reach into those of the later one. An open end doesn't.
fn overlap(one: &Agreement, other: &Agreement) -> bool {
    one.from == other.from || one.from < other.from && one.to.is_some_and(|to| to > other.from)
}

fn end(one: &Agreement, all: &[Agreement], of: &Of<'_>) -> Quarter {
    let later = all.iter().filter(|other| is_rival(one, other, of) && other.from > one.from);
    later.map(|other| other.held.start).min().unwrap_or(one.held.end).min(one.held.end)
}

fn agreement(at: &At<'_>, of: &Of<'_>) -> Read<Agreement> {
    let fields = at.object(&["id", "tariff", "from", "to", "zone", "meters", "billing"])?;
    let id = fields.id()?;
    let named = fields.need("tariff", Code::TariffUnknown)?;
    let name = named.text()?;
    let Some(tariff) = of.tariffs.iter().position(|(id, _)| id == name) else {
        return named.refuse(Code::TariffUnknown);
    };
    let from = fields.need("from", Code::BadDate)?.day()?;
    let to = fields.map("to", |at| at.day())?;
    if to.is_some_and(|to| to <= from) {
        return at.refuse(Code::AgreementEmpty);
    }
    let zone = fields.map("zone", |at| at.zone())?.unwrap_or(of.zone);
    let days = from..to.unwrap_or(FAR_DAY);
    let held: Range<Quarter> = first_instant(zone, days.start)..first_instant(zone, days.end);
    let (meters, billing) = (meters(&fields, of.meters)?, billing(&fields)?);
    Ok(Agreement { id, tariff, from, to, zone, meters, billing, held, days })
}

fn meters(fields: &Fields<'_>, known: &[Named]) -> Read<Vec<usize>> {
    let Some(at) = fields.get("meters") else {
        let grid = known.iter().enumerate().filter(|(_, (_, meter))| meter.role == Role::Grid);
        return Ok(grid.map(|(place, _)| place).collect());
    };
    let mut places = Vec::new();
    for at in at.list(METERS_MAX)? {
        let place = of_role(&at, known, Role::Grid)?;
        if places.contains(&place) {
            return at.refuse(Code::MeterUnknown);
        }
        places.push(place);
    }
    if places.is_empty() { at.refuse(Code::MeterUnknown) } else { Ok(places) }
}

fn billing(fields: &Fields<'_>) -> Read<(Day, u32)> {
    // Calendar months.
    let Some(at) = fields.get("billing") else { return Ok((0, 1)) };
    let fields = at.object(&["from", "months"])?;
    let from = fields.need("from", Code::BadDate)?.day()?;
    let months = fields.need("months", Code::PeriodMissing)?;
    let count = months.whole(1..13, Code::PeriodUnknown)?;
    if !BILLING_MONTHS.contains(&count) {
        return months.refuse(Code::PeriodUnknown);
    }
    Ok((from, u32::try_from(count).unwrap_or(1)))
}
