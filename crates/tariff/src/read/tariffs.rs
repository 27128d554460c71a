//! Calendars, and tariffs with their versions.

use super::Refusals;
use super::components::{component, vat};
use super::names::Names;
use crate::day::{self, Day};
use crate::exact::Rounding;
use crate::fields::{At, Fields, Read};
use crate::model::{Calendar, Component, Tariff, Version};
use crate::node::Node;
use crate::refusal::Code;
use crate::series::Series;

const VERSIONS_MAX: usize = 1_000;
const COMPONENTS_MAX: usize = 64;
const CALENDAR_DAYS_MAX: usize = 40_000;
const KIND_BYTES_MAX: usize = 64;
const DIGITS_MAX: i64 = 6;
const KINDS: [&str; 5] = ["supply", "grid", "tax", "export", "other"];

/// What components name.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) calendars: &'a [(String, Calendar)],
    pub(super) series: &'a [Series],
    /// What was recorded later doesn't exist.
    pub(super) as_of_us: Option<i64>,
}

pub(super) fn calendars(list: &[At<'_>], refusals: &mut Refusals) -> Read<Vec<(String, Calendar)>> {
    let calendars = refusals.each(list, calendar);
    unique(list, &calendars, Code::CalendarUnknown)?;
    Ok(calendars)
}

fn calendar(at: &At<'_>) -> Read<(String, Calendar)> {
    let fields = at.object(&["id", "from", "to", "days"])?;
    let id = fields.id()?;
    let days = fields.need("from", Code::BadDate)?.day()?..fields.need("to", Code::BadDate)?.day()?;
    if days.is_empty() {
        return at.refuse(Code::RangeEmpty);
    }
    let mut words = Vec::new();
    if let Some(at) = fields.get("days") {
        let Node::Object(entries) = at.node else { return at.refuse(Code::ValueUnknown) };
        if entries.len() > CALENDAR_DAYS_MAX {
            return at.refuse(Code::TooLarge);
        }
        for (date, node) in entries {
            let at = At { node, place: format!("{}.{date}", at.place) };
            let Some(day) = day::parse(date) else { return at.refuse(Code::BadDate) };
            let word = at.text()?;
            if word.len() > KIND_BYTES_MAX {
                return at.refuse(Code::TooLarge);
            }
            words.push((day, word.to_owned()));
        }
    }
    words.sort_by_key(|(day, _)| *day);
    Ok((id, Calendar { days, words }))
}

pub(super) fn tariffs(
    list: &[At<'_>],
    known: &Known<'_>,
    refusals: &mut Refusals,
) -> Read<Vec<(String, Tariff)>> {
    let tariffs = refusals.each(list, |at| tariff(at, known));
    unique(list, &tariffs, Code::TariffUnknown)?;
    Ok(tariffs)
}

fn tariff(at: &At<'_>, known: &Known<'_>) -> Read<(String, Tariff)> {
    let fields = at.object(&["id", "kind", "currency", "vat_included", "bill", "versions"])?;
    let id = fields.id()?;
    let kinds: Vec<(&str, &str)> = KINDS.iter().map(|kind| (*kind, *kind)).collect();
    let kind = fields.need("kind", Code::KindUnknown)?.word(&kinds, Code::KindUnknown)?;
    let currency = currency(&fields)?;
    let (digits, rounding) = bill(&fields)?;
    let names = Names { calendars: known.calendars, series: known.series, currency: &currency };
    let versions = versions(&fields, &names, known.as_of_us)?;
    let vat_included = fields.flag("vat_included")?;
    Ok((id, Tariff { kind: kind.to_owned(), currency, vat_included, digits, rounding, versions }))
}

/// Three letters, or whatever people pay with.
pub(super) fn currency(fields: &Fields<'_>) -> Read<String> {
    let at = fields.need("currency", Code::CurrencyMismatch)?;
    let text = at.text()?;
    if text.is_empty() || text.len() > 8 { at.refuse(Code::CurrencyMismatch) } else { Ok(text.to_owned()) }
}

fn bill(fields: &Fields<'_>) -> Read<(u32, Rounding)> {
    let Some(at) = fields.get("bill") else { return Ok((2, Rounding::HalfUp)) };
    let fields = at.object(&["digits", "mode"])?;
    let modes = [("half_up", Rounding::HalfUp), ("half_even", Rounding::HalfEven), ("down", Rounding::Down)];
    let digits = fields.map("digits", |at| at.whole(0..DIGITS_MAX + 1, Code::RoundingUnknown))?.unwrap_or(2);
    let mode = fields.map("mode", |at| at.word(&modes, Code::RoundingUnknown))?;
    Ok((u32::try_from(digits).unwrap_or(2), mode.unwrap_or(Rounding::HalfUp)))
}

fn versions(fields: &Fields<'_>, names: &Names<'_>, as_of_us: Option<i64>) -> Read<Vec<Version>> {
    let mut versions: Vec<(Day, i64, Version)> = Vec::new();
    for at in fields.need("versions", Code::NoData)?.list(VERSIONS_MAX)? {
        let fields = at.object(&["from", "recorded", "vat", "components"])?;
        let from = fields.need("from", Code::BadDate)?.day()?;
        let recorded_us = fields.map("recorded", |at| at.instant_us())?.unwrap_or(i64::MIN);
        if versions.iter().any(|(day, us, _)| (*day, *us) == (from, recorded_us)) {
            return at.refuse(Code::VersionDuplicate);
        }
        let version = Version { from, components: components(&fields, names)? };
        versions.push((from, recorded_us, version));
    }
    versions.retain(|(_, recorded_us, _)| as_of_us.is_none_or(|as_of_us| *recorded_us <= as_of_us));
    // Of one date the one that was recorded last.
    versions.sort_by_key(|(from, recorded_us, _)| (*from, std::cmp::Reverse(*recorded_us)));
    versions.dedup_by_key(|(from, _, _)| *from);
    Ok(versions.into_iter().map(|(_, _, version)| version).collect())
}

fn components(fields: &Fields<'_>, names: &Names<'_>) -> Read<Vec<Component>> {
    let vat = vat(fields)?.unwrap_or(0);
    let mut components = Vec::new();
    for at in fields.list("components", COMPONENTS_MAX)? {
        let one = component(&at, vat, &components, names)?;
        components.push(one);
    }
    Ok(components)
}

/// Refuses the second of two of one name.
fn unique<T>(list: &[At<'_>], named: &[(String, T)], code: Code) -> Read<()> {
    // Where one of them is refused anyway, places no longer match.
    for (place, (id, _)) in named.iter().enumerate().filter(|_| named.len() == list.len()) {
        if named[..place].iter().any(|(other, _)| other == id) {
            return list[place].refuse(code);
        }
    }
    Ok(())
}
