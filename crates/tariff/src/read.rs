//! From text to a question that can't be wrong: the whole input, or all that is wrong with it.

mod agreements;
mod capacity;
mod components;
mod meters;
mod names;
mod prices;
mod tariffs;
mod when;

use std::ops::Range;

use crate::clock::Quarter;
use crate::fields::{At, Fields, Read};
use crate::model::{Question, Resolution, Share, ValueKind, WhatIf};
use crate::node::Node;
use crate::refusal::{Code, Refusal};

/// Bytes of an input: years of quarter-hours of several meters.
const INPUT_BYTES_MAX: usize = 64 << 20;
/// Ten years and some days.
const RANGE_QUARTERS_MAX: i64 = 96 * 3660;
/// A year of quarter-hours.
const BUCKETS_MAX: i64 = 96 * 366;
const EXPLAIN_MAX: usize = 96 * 31;
const METERS_MAX: usize = 64;
const CALENDARS_MAX: usize = 64;
const TARIFFS_MAX: usize = 256;
const AGREEMENTS_MAX: usize = 256;
const PRICES_MAX: usize = 20_000;
const WHAT_IF_MAX: usize = 32;
const SHARES_MAX: usize = 1_000;

const KEYS: [&str; 18] = [
    "id",
    "title",
    "rules",
    "source",
    "zone",
    "range",
    "resolution",
    "as_of",
    "explain",
    "bills",
    "meters",
    "calendars",
    "prices",
    "tariffs",
    "agreements",
    "what_if",
    "shares",
    "values",
];

/// Reads the input of `wattlinectl cost`.
///
/// # Errors
/// Everything that is wrong with it, where one thing doesn't follow from another.
pub fn read(text: &str) -> Result<Question, Vec<Refusal>> {
    if text.len() > INPUT_BYTES_MAX {
        return Err(vec![Refusal::new(Code::TooLarge, "the input")]);
    }
    let node = Node::parse(text)
        .map_err(|broken| vec![Refusal::new(Code::FormatUnknown, format!("byte {}: no JSON", broken.at))])?;
    let root = At { node: &node, place: String::new() };
    let fields = root.object(&KEYS).map_err(|refusal| vec![refusal])?;
    let mut refusals = Refusals::default();
    let question = question(&fields, &mut refusals);
    match question {
        Ok(question) if refusals.0.is_empty() => Ok(question),
        Ok(_) => Err(refusals.0),
        Err(refusal) => {
            refusals.add(refusal);
            Err(refusals.0)
        }
    }
}

impl Question {
    /// Takes every quarter-hour of the range apart.
    ///
    /// # Errors
    /// Where they are more than a month's.
    pub fn explain_all(&mut self) -> Read<()> {
        let length = self.range.end - self.range.start;
        if usize::try_from(length).is_ok_and(|length| length <= EXPLAIN_MAX) {
            self.explain = self.range.clone().collect();
            return Ok(());
        }
        Err(Refusal::new(Code::TooLarge, "range"))
    }
}

/// What is wrong with neighbours is told at once, each word and place once.
#[derive(Default)]
struct Refusals(Vec<Refusal>);

// === impl Refusals ===

impl Refusals {
    fn add(&mut self, refusal: Refusal) {
        if !self.0.contains(&refusal) {
            self.0.push(refusal);
        }
    }

    /// Each of a list, none depending on another.
    fn each<'a, T>(&mut self, items: &[At<'a>], mut read: impl FnMut(&At<'a>) -> Read<T>) -> Vec<T> {
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            match read(item) {
                Ok(item) => found.push(item),
                Err(refusal) => self.add(refusal),
            }
        }
        found
    }

    /// What is read further would only repeat what is wrong already.
    fn check(&mut self) -> Read<()> {
        self.0.pop().map_or(Ok(()), Err)
    }
}

fn question(fields: &Fields<'_>, refusals: &mut Refusals) -> Read<Question> {
    let zone = fields.need("zone", Code::ZoneUnknown)?.zone()?;
    let range = range(&fields.need("range", Code::RangeEmpty)?)?;
    let resolution = resolution(fields, &range)?;
    let as_of_us = fields.map("as_of", |at| at.instant_us())?;
    let explain = explain(fields, &range)?;
    let meters = meters::meters(&fields.list("meters", METERS_MAX)?, refusals)?;
    let calendars = tariffs::calendars(&fields.list("calendars", CALENDARS_MAX)?, refusals)?;
    let series = prices::series(&fields.list("prices", PRICES_MAX)?, as_of_us, refusals)?;
    refusals.check()?;
    let names = tariffs::Known { calendars: &calendars, series: &series, as_of_us };
    let tariffs = tariffs::tariffs(&fields.list("tariffs", TARIFFS_MAX)?, &names, refusals)?;
    refusals.check()?;
    let of = agreements::Of { zone, tariffs: &tariffs, meters: &meters };
    let agreements = agreements::agreements(&fields.list("agreements", AGREEMENTS_MAX)?, &of, refusals)?;
    let what_if = what_if(fields, &of, refusals)?;
    let shares = shares(fields, &range, &meters, refusals)?;
    let value = |at: &At<'_>| {
        at.word(&[("self_use", ValueKind::SelfUse), ("battery", ValueKind::Battery)], Code::ValueUnknown)
    };
    let values = refusals.each(&fields.list("values", 2)?, value);
    refusals.check()?;
    Ok(Question {
        zone,
        range,
        resolution,
        explain,
        bills: fields.flag("bills")?,
        meters: meters.into_iter().map(|(_, meter)| meter).collect(),
        calendars: calendars.into_iter().map(|(_, calendar)| calendar).collect(),
        series,
        tariffs: tariffs.into_iter().map(|(_, tariff)| tariff).collect(),
        agreements,
        what_if,
        shares,
        values,
    })
}

fn range(at: &At<'_>) -> Read<Range<Quarter>> {
    let ends = at.list(2)?;
    let [from, to] = &ends[..] else { return at.refuse(Code::BadTime) };
    let range = from.quarter()?..to.quarter()?;
    if range.is_empty() {
        return at.refuse(Code::RangeEmpty);
    }
    if range.end - range.start > RANGE_QUARTERS_MAX {
        return at.refuse(Code::TooLarge);
    }
    Ok(range)
}

fn resolution(fields: &Fields<'_>, range: &Range<Quarter>) -> Read<Resolution> {
    let words = [
        ("15m", (Resolution::QuarterHour, 1)),
        ("1h", (Resolution::Hour, 4)),
        ("1d", (Resolution::Day, 96)),
        ("1mo", (Resolution::Month, 96 * 28)),
        ("total", (Resolution::Total, i64::MAX)),
    ];
    let Some(at) = fields.get("resolution") else { return Ok(Resolution::Total) };
    let (resolution, quarters) = at.word(&words, Code::ResolutionUnknown)?;
    if (range.end - range.start) / quarters > BUCKETS_MAX {
        return at.refuse(Code::TooLarge);
    }
    Ok(resolution)
}

fn explain(fields: &Fields<'_>, range: &Range<Quarter>) -> Read<Vec<Quarter>> {
    let mut quarters = Vec::new();
    for at in fields.list("explain", EXPLAIN_MAX)? {
        let quarter = at.quarter()?;
        if !range.contains(&quarter) {
            return at.refuse(Code::BadTime);
        }
        quarters.push(quarter);
    }
    quarters.sort_unstable();
    quarters.dedup();
    Ok(quarters)
}

fn what_if(fields: &Fields<'_>, of: &agreements::Of<'_>, refusals: &mut Refusals) -> Read<Vec<WhatIf>> {
    let mut found = Vec::new();
    for at in fields.list("what_if", WHAT_IF_MAX)? {
        let fields = at.object(&["id", "agreements"])?;
        let id = fields.id()?;
        let list = fields.list("agreements", AGREEMENTS_MAX)?;
        found.push(WhatIf { id, agreements: agreements::agreements(&list, of, refusals)? });
    }
    Ok(found)
}

fn shares(
    fields: &Fields<'_>,
    range: &Range<Quarter>,
    known: &[meters::Named],
    refusals: &mut Refusals,
) -> Read<Vec<Share>> {
    let share = |at: &At<'_>| {
        let fields = at.object(&["meter", "from", "to"])?;
        let at = fields.need("meter", Code::MeterUnknown)?;
        let meter = meters::load(&at, known)?;
        let from = fields.map("from", |at| at.quarter())?.unwrap_or(range.start);
        let to = fields.map("to", |at| at.quarter())?.unwrap_or(range.end);
        if from >= to || from < range.start || to > range.end {
            return fields.refuse(Code::RangeEmpty);
        }
        Ok(Share { meter, span: from..to })
    };
    Ok(refusals.each(&fields.list("shares", SHARES_MAX)?, share))
}
