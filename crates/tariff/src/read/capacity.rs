//! Charges for the highest power.

use super::names::Names;
use super::when;
use crate::fields::{At, Fields, Read};
use crate::model::{Capacity, Charge, Component, Days, Kind, When};
use crate::number::PRICE_PLACES;
use crate::refusal::Code;

const WEIGHTS_MAX: usize = 16;
const STEPS_MAX: usize = 64;
const HIGHEST_MAX: i64 = 100;
const AVERAGE_MONTHS_MAX: i64 = 36;
/// A million kW, and a factor of as much, in 10⁻⁹.
const KW_MAX: i64 = 1_000_000_000_000_000;

pub(super) const KEYS: [&str; 18] = [
    "id",
    "kind",
    "vat",
    "window",
    "when",
    "weights",
    "highest",
    "distinct_days",
    "min_kw",
    "average_months",
    "price_per_kw",
    "steps",
    "edge",
    "per",
    "max_per_kwh",
    "calendar",
    "zone",
    "day_starts_at",
];

pub(super) fn capacity(fields: &Fields<'_>, _: &[Component], names: &Names<'_>) -> Read<Kind> {
    let windows = [("PT15M", 1), ("PT30M", 2), ("PT1H", 4)];
    let days = when::days(fields, names)?;
    let count = |key: &str, most: i64| fields.map(key, |at| at.whole(1..most + 1, Code::BadNumber));
    let per = fields.map("per", |at| at.word(&[("month", false), ("year", true)], Code::PeriodUnknown))?;
    let capacity = Capacity {
        quarters: fields.need("window", Code::WindowUnknown)?.word(&windows, Code::WindowUnknown)?,
        when: fields.map("when", |at| when::when(&at, &days))?.unwrap_or_default(),
        weights: weights(fields, &days)?,
        highest: count("highest", HIGHEST_MAX)?.and_then(|count| usize::try_from(count).ok()).unwrap_or(1),
        distinct_days: fields.flag("distinct_days")?,
        min_kw: fields.map("min_kw", |at| kw(&at))?.unwrap_or(0),
        average_months: count("average_months", AVERAGE_MONTHS_MAX)?
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(1),
        charge: charge(fields)?,
        per_year: per.unwrap_or(false),
        max_per_kwh: fields.map("max_per_kwh", |at| at.price())?,
        days,
    };
    Ok(Kind::Capacity(Box::new(capacity)))
}

fn kw(at: &At<'_>) -> Read<i64> {
    match at.decimal(PRICE_PLACES, KW_MAX, Code::BadNumber)? {
        kw if kw >= 0 => Ok(kw),
        _ => at.refuse(Code::BadNumber),
    }
}

fn weights(fields: &Fields<'_>, days: &Days) -> Read<Vec<(When, i64)>> {
    let weight = |at: &At<'_>| {
        let fields = at.object(&["when", "factor"])?;
        let when = fields.map("when", |at| when::when(&at, days))?.unwrap_or_default();
        Ok((when, kw(&fields.need("factor", Code::BadNumber)?)?))
    };
    fields.list("weights", WEIGHTS_MAX)?.iter().map(weight).collect()
}

fn charge(fields: &Fields<'_>) -> Read<Charge> {
    let edges = [("upper", false), ("lower", true)];
    let lower = fields.map("edge", |at| at.word(&edges, Code::ValueUnknown))?.unwrap_or(false);
    match (fields.get("price_per_kw"), fields.get("steps")) {
        (Some(at), None) => Ok(Charge::PerKw(at.price()?)),
        (None, Some(at)) => Ok(Charge::Steps { steps: steps(&at)?, lower }),
        _ => fields.refuse(Code::RateMissing),
    }
}

fn steps(at: &At<'_>) -> Read<Vec<(i64, i64)>> {
    let mut steps: Vec<(i64, i64)> = Vec::new();
    for at in at.list(STEPS_MAX)? {
        let fields = at.object(&["from_kw", "price"])?;
        let from = fields.need("from_kw", Code::StepsOrder)?;
        let from_kw = kw(&from)?;
        if steps.last().is_some_and(|(before, _)| *before >= from_kw) {
            return from.refuse(Code::StepsOrder);
        }
        steps.push((from_kw, fields.need("price", Code::RateMissing)?.price()?));
    }
    if steps.is_empty() { at.refuse(Code::RateMissing) } else { Ok(steps) }
}
