//! Day-ahead prices as ENTSO-E publishes them: a `Publication_MarketDocument` of type A44.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::{Problem, Unit, time};
use crate::clock::Quarter;
use crate::fields::quarter;
use crate::refusal::Code;

/// What a document says.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) currency: String,
    /// When it was made, in µs since 1970.
    pub(crate) published_us: i64,
    pub(crate) revision: i64,
    /// In 10⁻⁹ per kWh.
    pub(crate) prices: Vec<(Quarter, i64)>,
}

/// Prices with the width that they were published in: the finest counts.
type Slots = BTreeMap<Quarter, (i64, i64)>;

const DAY_AHEAD: &str = "A01";
/// Ten years.
const PERIOD_QUARTERS_MAX: i64 = 96 * 3660;

/// The prices of one sequence: several auctions of one day may be in a document, and intraday ones.
pub(crate) fn entsoe(text: &str, sequence: &str, unit: Unit) -> Result<Document, Problem> {
    let problem = |code| Problem { code, row: 0 };
    let document = roxmltree::Document::parse(text).map_err(|_| problem(Code::FormatUnknown))?;
    let root = document.root_element();
    match root.tag_name().name() {
        "Publication_MarketDocument" => {}
        "Acknowledgement_MarketDocument" => return Err(problem(Code::NoData)),
        _ => return Err(problem(Code::FormatUnknown)),
    }
    let mut slots = Slots::new();
    let mut currency: Option<String> = None;
    for (row, series) in (1..).zip(children(root, "TimeSeries")) {
        if !is_asked(series, sequence) {
            continue;
        }
        let problem = |code| Problem { code, row };
        let name = child(series, "currency_Unit.name").ok_or(problem(Code::CurrencyMismatch))?;
        if currency.get_or_insert_with(|| name.to_owned()) != name {
            return Err(problem(Code::CurrencyMismatch));
        }
        read_series(series, unit, &mut slots).map_err(problem)?;
    }
    let currency = currency.filter(|_| !slots.is_empty()).ok_or(problem(Code::NoData))?;
    let created = child(root, "createdDateTime").ok_or(problem(Code::BadTime))?;
    let revision = child(root, "revisionNumber").unwrap_or("1").parse();
    Ok(Document {
        currency,
        published_us: time(created).map_err(problem)?,
        revision: revision.map_err(|_| problem(Code::RevisionUnknown))?,
        prices: slots.into_iter().map(|(quarter, (_, price))| (quarter, price)).collect(),
    })
}

fn is_asked(series: Node<'_, '_>, sequence: &str) -> bool {
    let position = child(series, "classificationSequence_AttributeInstanceComponent.position");
    child(series, "contract_MarketAgreement.type") == Some(DAY_AHEAD)
        && position.is_none_or(|position| position == sequence)
}

fn read_series(series: Node<'_, '_>, unit: Unit, slots: &mut Slots) -> Result<(), Code> {
    let per_mwh = match child(series, "price_Measure_Unit.name") {
        Some("MWH") => true,
        Some("KWH") => false,
        _ => return Err(Code::UnitUnknown),
    };
    let repeats = child(series, "curveType") == Some("A03");
    children(series, "Period")
        .try_for_each(|period| read_period(period, Unit { per_mwh, ..unit }, repeats, slots))
}

fn read_period(period: Node<'_, '_>, unit: Unit, repeats: bool, slots: &mut Slots) -> Result<(), Code> {
    let interval = children(period, "timeInterval").next().ok_or(Code::BadTime)?;
    let end = |name| quarter(time(child(interval, name).ok_or(Code::BadTime)?)?).ok_or(Code::OffGrid);
    let (start, end) = (end("start")?, end("end")?);
    let width = match child(period, "resolution") {
        Some("PT15M") => 1,
        Some("PT30M") => 2,
        Some("PT60M" | "PT1H") => 4,
        _ => return Err(Code::ResolutionUnknown),
    };
    if end <= start || end - start > PERIOD_QUARTERS_MAX {
        return Err(Code::RangeEmpty);
    }
    let count = (end - start) / width;
    let mut points = BTreeMap::new();
    for point in children(period, "Point") {
        let position = child(point, "position").and_then(|text| text.parse::<i64>().ok());
        let position =
            position.filter(|position| (1..=count).contains(position)).ok_or(Code::PositionRange)?;
        let price = unit.price(child(point, "price.amount").ok_or(Code::BadNumber)?)?;
        if points.insert(position, price).is_some_and(|before| before != price) {
            return Err(Code::PublicationConflict);
        }
    }
    if repeats && !points.contains_key(&1) {
        return Err(Code::FirstPositionMissing);
    }
    let mut last = None;
    for position in 1..=count {
        let own = points.get(&position).copied();
        last = own.or(last.filter(|_| repeats));
        let Some(price) = last else { continue };
        let first = start + (position - 1) * width;
        (first..first + width).try_for_each(|quarter| put(slots, quarter, width, price))?;
    }
    Ok(())
}

fn put(slots: &mut Slots, quarter: Quarter, width: i64, price: i64) -> Result<(), Code> {
    match slots.get(&quarter) {
        Some((finer, _)) if *finer < width => {}
        Some((same, before)) if *same == width && *before != price => return Err(Code::PublicationConflict),
        _ => drop(slots.insert(quarter, (width, price))),
    }
    Ok(())
}

/// Children of a name, whatever their namespace.
fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

fn child<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    children(node, name).next()?.text().map(str::trim)
}
