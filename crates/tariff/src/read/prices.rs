//! Publications of prices, in our own form or as text of another.

use super::Refusals;
use super::tariffs::currency;
use crate::clock::Quarter;
use crate::fields::{At, Fields, Read};
use crate::import::{Paths, Priced, Problem, Time, Unit, csv, entsoe, json};
use crate::node::Node;
use crate::number::Decimal;
use crate::refusal::{Code, Refusal};
use crate::series::{Publication, Series};

/// Values of one publication: a year of quarter-hours.
const VALUES_MAX: usize = 96 * 366;
/// Values of all publications.
const ALL_VALUES_MAX: usize = 4_000_000;
const TEXT_BYTES_MAX: usize = 16 << 20;
/// From the first to the last price of a series: twenty years.
const SPAN_QUARTERS_MAX: i64 = 96 * 7320;

const KEYS: [&str; 16] = [
    "series",
    "currency",
    "source",
    "published",
    "revision",
    "kind",
    "start",
    "minutes",
    "values",
    "format",
    "text",
    "unit",
    "scale",
    "paths",
    "time",
    "sequence",
];

/// A publication of a series, and where it stands.
struct Published<'a> {
    at: At<'a>,
    series: &'a str,
    currency: String,
    publication: Publication,
}

/// All series that are there; of those without an earlier publication nothing is known.
pub(super) fn series(list: &[At<'_>], as_of_us: Option<i64>, refusals: &mut Refusals) -> Read<Vec<Series>> {
    let mut all = refusals.each(list, published);
    refusals.check()?;
    if all.iter().map(|one| one.publication.prices.len()).sum::<usize>() > ALL_VALUES_MAX {
        return Err(Refusal::new(Code::TooLarge, "prices"));
    }
    let mut found: Vec<Series> = Vec::new();
    while let Some(first) = all.first() {
        let (id, name) = (first.series, first.currency.clone());
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.series == id);
        all = others;
        if let Some(other) = own.iter().find(|one| one.currency != name) {
            return other.at.refuse(Code::CurrencyMismatch);
        }
        let at = own[0].at.clone();
        let exists = |one: &Published<'_>| as_of_us.is_none_or(|us| one.publication.published_us <= us);
        let publications: Vec<Publication> =
            own.into_iter().filter(exists).map(|one| one.publication).collect();
        let quarters = || publications.iter().flat_map(|one| one.prices.iter().map(|price| price.0));
        if quarters()
            .max()
            .zip(quarters().min())
            .is_some_and(|(last, first)| last - first > SPAN_QUARTERS_MAX)
        {
            return at.refuse(Code::TooLarge);
        }
        match Series::new(id.to_owned(), name, &publications) {
            Ok(series) => found.push(series),
            Err(_) => return at.refuse(Code::PublicationConflict),
        }
    }
    Ok(found)
}

fn published<'a>(at: &At<'a>) -> Read<Published<'a>> {
    let fields = at.object(&KEYS)?;
    let series = fields.need("series", Code::SeriesUnknown)?.text()?;
    let kinds = [("final", true), ("estimate", false)];
    let is_final = fields.map("kind", |at| at.word(&kinds, Code::KindUnknown))?.unwrap_or(true);
    let revision = fields.map("revision", |at| at.whole(0..i64::MAX, Code::RevisionUnknown))?;
    let published_us = fields.map("published", |at| at.instant_us())?;
    let need_published = || fields.need("published", Code::BadTime).and_then(|at| at.instant_us());
    let (currency, publication) = match fields.get("format") {
        None => {
            let prices = values(&fields)?;
            let revision = revision.unwrap_or(1);
            (currency(&fields)?, Publication { is_final, published_us: need_published()?, revision, prices })
        }
        Some(format) if matches!(format.node, Node::Text(text) if text == "entsoe") => {
            let document = entsoe(text(&fields)?, sequence(&fields)?, unit(&fields)?)
                .or_else(|problem| refuse(&fields, problem))?;
            if let Some(at) = fields.get("currency")
                && at.text()? != document.currency
            {
                return at.refuse(Code::CurrencyMismatch);
            }
            let published_us = published_us.unwrap_or(document.published_us);
            let revision = revision.unwrap_or(document.revision);
            (document.currency, Publication { is_final, published_us, revision, prices: document.prices })
        }
        Some(format) => {
            let rows = table(&format, &fields)?;
            let quarters =
                rows.iter().flat_map(|row| (row.start..row.start + row.quarters).map(|at| (at, row.price)));
            let (prices, revision) = (quarters.collect(), revision.unwrap_or(1));
            (currency(&fields)?, Publication { is_final, published_us: need_published()?, revision, prices })
        }
    };
    Ok(Published { at: at.clone(), series, currency, publication })
}

fn values(fields: &Fields<'_>) -> Read<Vec<(Quarter, i64)>> {
    let start = fields.need("start", Code::BadTime)?.quarter()?;
    let width = minutes(fields)?.map(|minutes| minutes / 15);
    let Some(width) = width else { return fields.refuse(Code::StepUnknown) };
    let at = fields.need("values", Code::NoData)?;
    let Node::List(items) = at.node else { return at.refuse(Code::ValueUnknown) };
    if items.len() > VALUES_MAX {
        return at.refuse(Code::TooLarge);
    }
    let mut prices = Vec::with_capacity(items.len());
    let mut quarter = start;
    for (place, node) in items.iter().enumerate() {
        if *node != Node::Null {
            // The place is written only where the value is refused: there may be thousands.
            let price = match (At { node, place: String::new() }).price() {
                Ok(price) => price,
                Err(refusal) => return Err(Refusal::new(refusal.code, format!("{}[{place}]", at.place))),
            };
            prices.extend((quarter..quarter + width).map(|quarter| (quarter, price)));
        }
        quarter += width;
    }
    Ok(prices)
}

fn minutes(fields: &Fields<'_>) -> Read<Option<i64>> {
    fields.map("minutes", |at| match at.whole(15..61, Code::StepUnknown)? {
        minutes @ (15 | 30 | 60) => Ok(minutes),
        _ => at.refuse(Code::StepUnknown),
    })
}

fn table(format: &At<'_>, fields: &Fields<'_>) -> Read<Vec<Priced>> {
    let is_json = format.word(&[("csv", false), ("json", true)], Code::FormatUnknown)?;
    let (text, unit, minutes) = (text(fields)?, unit(fields)?, minutes(fields)?);
    if !is_json {
        return csv(text, unit, minutes).or_else(|problem| refuse(fields, problem));
    }
    let paths = fields.need("paths", Code::PathMissing)?;
    let paths = paths.object(&["rows", "start", "end", "price"])?;
    let path = |key: &str| paths.need(key, Code::PathMissing).and_then(|at| at.text());
    let paths = Paths {
        rows: paths.map("rows", |at| at.text())?.unwrap_or_default(),
        start: path("start")?,
        end: paths.map("end", |at| at.text())?,
        price: path("price")?,
    };
    let words = [("rfc3339", Time::Rfc3339), ("s", Time::Seconds), ("ms", Time::Milliseconds)];
    let times = fields.map("time", |at| at.word(&words, Code::ValueUnknown))?.unwrap_or(Time::Rfc3339);
    json(text, &paths, times, unit, minutes).or_else(|problem| refuse(fields, problem))
}

fn refuse<T>(fields: &Fields<'_>, problem: Problem) -> Read<T> {
    let row = if problem.row == 0 { String::new() } else { format!(" row {}", problem.row) };
    Err(Refusal::new(problem.code, format!("{}.text{row}", fields.place)))
}

fn text<'a>(fields: &Fields<'a>) -> Read<&'a str> {
    let at = fields.need("text", Code::NoData)?;
    match at.node {
        Node::Text(text) if text.len() <= TEXT_BYTES_MAX => Ok(text),
        Node::Text(_) => at.refuse(Code::TooLarge),
        _ => at.refuse(Code::FormatUnknown),
    }
}

fn unit(fields: &Fields<'_>) -> Read<Unit> {
    let units = [("kWh", false), ("MWh", true)];
    let per_mwh = fields.map("unit", |at| at.word(&units, Code::UnitUnknown))?.unwrap_or(false);
    let scale = fields
        .map("scale", |at| Decimal::parse(at.number_text()?).or_else(|_| at.refuse(Code::BadNumber)))?;
    let one = || Decimal::parse("1").or_else(|_| fields.refuse(Code::BadNumber));
    Ok(Unit { scale: scale.map_or_else(one, Ok)?, per_mwh })
}

/// As it stands in the document.
fn sequence<'a>(fields: &Fields<'a>) -> Read<&'a str> {
    fields.get("sequence").map_or(Ok("1"), |at| at.number_text())
}
