//! Components of a version, and their rates.

use super::capacity::capacity;
use super::names::Names;
use super::when;
use crate::fields::{At, Fields, Read};
use crate::model::{
    Average, Band, Component, Days, Edge, Energy, Kind, Measure, Per, Price, Spot, Tier, When,
};
use crate::number::{PERCENT_PLACES, PRICE_PLACES, VAT_PLACES};
use crate::refusal::Code;

const BANDS_MAX: usize = 64;
const TIERS_MAX: usize = 32;
const OF_MAX: usize = 64;
/// 100 in units of 10⁻⁴.
const VAT_MAX: i64 = 1_000_000;
/// 10,000 in units of 10⁻⁸.
const PERCENT_MAX: i64 = 1_000_000_000_000;
/// A million of 10⁻⁹.
const FACTOR_MAX: i64 = 1_000_000_000_000_000;
/// A GWh in µWh.
const EDGE_UWH_MAX: i64 = 1_000_000_000_000_000;
/// From kWh to µWh: edges by the day are multiplied before they are rounded.
const EDGE_PLACES: u32 = 9;

const RATE_KEYS: [&str; 3] = ["price", "spot", "tiers"];

pub(super) fn component(at: &At<'_>, vat: i64, earlier: &[Component], names: &Names<'_>) -> Read<Component> {
    type Reader = fn(&Fields<'_>, &[Component], &Names<'_>) -> Read<Kind>;
    let kinds: [(&str, (&[&str], Reader)); 6] = [
        ("energy", (&ENERGY_KEYS, energy)),
        ("standing", (&["id", "kind", "vat", "price", "per", "times"], standing)),
        ("once", (&["id", "kind", "vat", "date", "amount"], once)),
        ("percent", (&["id", "kind", "vat", "percent", "of"], percent)),
        ("minimum", (&["id", "kind", "vat", "amount", "per", "of"], minimum)),
        ("capacity", (&super::capacity::KEYS, capacity)),
    ];
    let crate::node::Node::Object(_) = at.node else { return at.refuse(Code::ValueUnknown) };
    let kind = at.node.get("kind").map(|node| At { node, place: format!("{}.kind", at.place) });
    let Some(kind) = kind else { return at.refuse(Code::ComponentUnknown) };
    let (keys, read) = kind.word(&kinds, Code::ComponentUnknown)?;
    let fields = at.object(keys)?;
    let id = fields.id()?;
    if earlier.iter().any(|other| other.id == id) {
        return at.refuse(Code::ComponentDuplicate);
    }
    let vat = self::vat(&fields)?.unwrap_or(vat);
    Ok(Component { id, vat, kind: read(&fields, earlier, names)? })
}

/// In millionths.
pub(super) fn vat(fields: &Fields<'_>) -> Read<Option<i64>> {
    fields.map("vat", |at| match at.decimal(VAT_PLACES, i64::MAX, Code::VatRange)? {
        vat if (0..=VAT_MAX).contains(&vat) => Ok(vat),
        _ => at.refuse(Code::VatRange),
    })
}

/// What a counter, a charge or a minimum runs per.
fn per(fields: &Fields<'_>, words: &[(&str, Per)]) -> Read<Per> {
    fields.need("per", Code::PeriodMissing)?.word(words, Code::PeriodUnknown)
}

const DAY: (&str, Per) = ("day", Per::Day);
const MONTH: (&str, Per) = ("month", Per::Month);
const YEAR: (&str, Per) = ("year", Per::Year);
const BILLING: (&str, Per) = ("billing", Per::Billing);

fn standing(fields: &Fields<'_>, _: &[Component], _: &Names<'_>) -> Read<Kind> {
    let price = fields.need("price", Code::RateMissing)?.price()?;
    let times = fields.map("times", |at| at.decimal(PRICE_PLACES, FACTOR_MAX, Code::BadNumber))?;
    let per = per(fields, &[DAY, MONTH, YEAR])?;
    Ok(Kind::Standing { price, times: times.unwrap_or(10_i64.pow(PRICE_PLACES)), per })
}

fn once(fields: &Fields<'_>, _: &[Component], _: &Names<'_>) -> Read<Kind> {
    let day = fields.need("date", Code::BadDate)?.day()?;
    Ok(Kind::Once { day, amount: fields.need("amount", Code::RateMissing)?.price()? })
}

fn percent(fields: &Fields<'_>, earlier: &[Component], _: &Names<'_>) -> Read<Kind> {
    let at = fields.need("percent", Code::RateMissing)?;
    let part = at.decimal(PERCENT_PLACES, PERCENT_MAX, Code::BadNumber)?;
    Ok(Kind::Percent { part, of: of(fields, earlier)? })
}

fn minimum(fields: &Fields<'_>, earlier: &[Component], _: &Names<'_>) -> Read<Kind> {
    let amount = fields.need("amount", Code::RateMissing)?.price()?;
    let per = per(fields, &[DAY, MONTH, BILLING])?;
    let of = of(fields, earlier)?.into_iter().map(|place| earlier[place].id.clone()).collect();
    Ok(Kind::Minimum { amount, per, of })
}

/// Places of the named components.
fn of(fields: &Fields<'_>, earlier: &[Component]) -> Read<Vec<usize>> {
    let mut places = Vec::new();
    let list = fields.need("of", Code::OfUnknown)?;
    for at in list.list(OF_MAX)? {
        let id = at.text()?;
        match earlier.iter().position(|component| component.id == id) {
            Some(place) if !places.contains(&place) => places.push(place),
            _ => return at.refuse(Code::OfUnknown),
        }
    }
    if places.is_empty() { list.refuse(Code::OfUnknown) } else { Ok(places) }
}

const ENERGY_KEYS: [&str; 14] = [
    "id",
    "kind",
    "vat",
    "measure",
    "zone",
    "calendar",
    "day_starts_at",
    "per",
    "prorate",
    "bands",
    "price",
    "spot",
    "tiers",
    "surplus",
];

fn energy(fields: &Fields<'_>, _: &[Component], names: &Names<'_>) -> Read<Kind> {
    let measures = [("import", Measure::Import), ("export", Measure::Export), ("net", Measure::Net)];
    let measure = fields.map("measure", |at| at.word(&measures, Code::MeasureUnknown))?;
    let measure = measure.unwrap_or(Measure::Import);
    let days = when::days(fields, names)?;
    let bands = match fields.get("bands") {
        Some(at)
            if fields.get("surplus").is_some() || RATE_KEYS.iter().any(|key| fields.get(key).is_some()) =>
        {
            return at.refuse(Code::RateMissing);
        }
        Some(at) => bands(&at, measure, &days, names)?,
        None => vec![band(fields, None, When::default(), measure, names)?],
    };
    let counts = measure == Measure::Net || bands.iter().any(|band| band.tiers.len() > 1);
    let words = [DAY, MONTH, YEAR, BILLING];
    let per = if counts {
        per(fields, &words)?
    } else {
        fields.map("per", |at| at.word(&words, Code::PeriodUnknown))?.unwrap_or(Per::Month)
    };
    Ok(Kind::Energy(Energy { measure, days, per, prorate: fields.flag("prorate")?, bands }))
}

fn bands(at: &At<'_>, measure: Measure, days: &Days, names: &Names<'_>) -> Read<Vec<Band>> {
    let mut bands: Vec<Band> = Vec::new();
    let mut ends = false;
    for at in at.list(BANDS_MAX)? {
        let fields = at.object(&["id", "when", "price", "spot", "tiers", "surplus"])?;
        let id = fields.id()?;
        if bands.iter().any(|band| band.id.as_ref() == Some(&id)) {
            return at.refuse(Code::ComponentDuplicate);
        }
        let when = fields.map("when", |at| when::when(&at, days))?;
        ends = when.is_none();
        bands.push(band(&fields, Some(id), when.unwrap_or_default(), measure, names)?);
    }
    if ends { Ok(bands) } else { at.refuse(Code::BandsIncomplete) }
}

fn band(
    fields: &Fields<'_>,
    id: Option<String>,
    when: When,
    measure: Measure,
    names: &Names<'_>,
) -> Read<Band> {
    if RATE_KEYS.iter().filter(|key| fields.get(key).is_some()).count() != 1 {
        return fields.refuse(Code::RateMissing);
    }
    let tiers = match fields.get("tiers") {
        Some(at) => tiers(&at, names)?,
        None => vec![Tier { edge: None, price: price(fields, names)? }],
    };
    let spot = tiers.iter().any(|tier| matches!(tier.price, Price::Spot(_)));
    let is_net = measure == Measure::Net;
    if is_net && spot {
        return fields.refuse(Code::NettingNeedsFixedPrice);
    }
    let surplus = match fields.get("surplus") {
        Some(at) if !is_net => return at.refuse(Code::UnknownKey),
        None if is_net => return fields.refuse(Code::RateMissing),
        at => at.map(|at| at.price()).transpose()?,
    };
    Ok(Band { id, when, tiers, surplus })
}

fn tiers(at: &At<'_>, names: &Names<'_>) -> Read<Vec<Tier>> {
    let mut tiers = Vec::new();
    let (mut before, mut per_day) = (0, None);
    let list = at.list(TIERS_MAX)?;
    for (place, at) in list.iter().enumerate() {
        let fields = at.object(&["up_to_kwh", "up_to_kwh_per_day", "price", "spot"])?;
        let edge = match (fields.get("up_to_kwh"), fields.get("up_to_kwh_per_day")) {
            (Some(at), None) => Some((at, false)),
            (None, Some(at)) => Some((at, true)),
            (None, None) => None,
            (Some(at), Some(_)) => return at.refuse(Code::TiersOrder),
        };
        if edge.is_some() == (place + 1 == list.len()) {
            return at.refuse(Code::TiersUnbounded);
        }
        let edge = match edge {
            None => None,
            Some((at, daily)) => {
                let uwh = at.decimal(EDGE_PLACES, EDGE_UWH_MAX, Code::BadNumber)?;
                if uwh <= before || per_day.is_some_and(|per_day| per_day != daily) {
                    return at.refuse(Code::TiersOrder);
                }
                (before, per_day) = (uwh, Some(daily));
                Some(if daily { Edge::PerDay(uwh) } else { Edge::Whole(uwh) })
            }
        };
        if fields.get("price").is_some() == fields.get("spot").is_some() {
            return at.refuse(Code::RateMissing);
        }
        tiers.push(Tier { edge, price: price(&fields, names)? });
    }
    if tiers.is_empty() { at.refuse(Code::TiersUnbounded) } else { Ok(tiers) }
}

fn price(fields: &Fields<'_>, names: &Names<'_>) -> Read<Price> {
    match (fields.get("price"), fields.get("spot")) {
        (Some(at), None) => Ok(Price::Fixed(at.price()?)),
        (None, Some(at)) => spot(&at, names).map(Price::Spot),
        _ => fields.refuse(Code::RateMissing),
    }
}

fn spot(at: &At<'_>, names: &Names<'_>) -> Read<Spot> {
    let fields = at.object(&["series", "factor", "add", "above", "min", "max", "average", "revision"])?;
    let named = fields.need("series", Code::SeriesUnknown)?;
    let id = named.text()?;
    let Some(series) = names.series.iter().position(|series| series.id == id) else {
        return named.refuse(Code::SeriesUnknown);
    };
    if names.series[series].currency != names.currency {
        return named.refuse(Code::CurrencyMismatch);
    }
    let averages = [
        ("PT15M", Average::QuarterHour),
        ("PT1H", Average::Hour),
        ("P1D", Average::Day),
        ("P1M", Average::Month),
    ];
    let average = fields.map("average", |at| at.word(&averages, Code::AverageUnknown))?;
    let revision =
        |at: At<'_>| at.word(&[("first", true), ("last", false), ("latest", false)], Code::RevisionUnknown);
    let factor = fields.map("factor", |at| at.decimal(PRICE_PLACES, FACTOR_MAX, Code::BadNumber))?;
    Ok(Spot {
        series,
        factor: factor.unwrap_or(10_i64.pow(PRICE_PLACES)),
        add: fields.map("add", |at| at.price())?.unwrap_or(0),
        above: fields.map("above", |at| at.price())?,
        min: fields.map("min", |at| at.price())?,
        max: fields.map("max", |at| at.price())?,
        average: average.unwrap_or(Average::QuarterHour),
        first: fields.map("revision", revision)?.unwrap_or(false),
    })
}
