//! The answer of `wattlinectl cost`, in the words of its JSON. Amounts are text: no reader makes a float of them.

mod bills;
mod buckets;
mod shares;
mod slots;
mod values;

use serde::Serialize;

use crate::clock::{QUARTER_S, Quarter};
use crate::course::{Course, Looks, Month};
use crate::day;
use crate::exact::{Beyond, Exact, Rounding};
use crate::flags::Flags;
use crate::line::Line;
use crate::model::Question;
use crate::number::{AMOUNT_PLACES, fixed};
use crate::set::Set;
use crate::settle::Vat;
use crate::world::World;

/// What energy costs.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// By time; none where there would be only one.
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) total: Bucket,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) capacity: Vec<Capacity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bills: Vec<Bill>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) slots: Vec<Slot>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shares: Vec<Share>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) what_if: Vec<WhatIf>,
}

/// A part of the range.
#[derive(Debug, Serialize)]
pub(crate) struct Bucket {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) import_mwh: Option<i64>,
    pub(crate) export_mwh: Option<i64>,
    pub(crate) amounts: Vec<Amount>,
    pub(crate) quarters: usize,
    pub(crate) quarters_energy: usize,
    pub(crate) quarters_priced: usize,
    pub(crate) flags: Vec<&'static str>,
    pub(crate) lines: Vec<LineSum>,
}

/// In one currency.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Amount {
    pub(crate) currency: String,
    pub(crate) amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vat: Option<String>,
}

/// Which line it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Name {
    pub(crate) agreement: String,
    pub(crate) version: String,
    pub(crate) component: String,
    pub(crate) band: Option<String>,
}

/// A line in a bucket.
#[derive(Debug, Serialize)]
pub(crate) struct LineSum {
    #[serde(flatten)]
    pub(crate) name: Name,
    pub(crate) currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity_mwh: Option<i64>,
    pub(crate) amount: Option<String>,
    pub(crate) vat: Option<String>,
    pub(crate) flags: Vec<&'static str>,
}

/// A month's highest power.
#[derive(Debug, Serialize)]
pub(crate) struct Capacity {
    pub(crate) agreement: String,
    pub(crate) version: String,
    pub(crate) component: String,
    pub(crate) month: String,
    pub(crate) peak_kw: Option<String>,
    pub(crate) at: Vec<String>,
    pub(crate) billed_kw: Option<String>,
    pub(crate) amount: Option<String>,
    pub(crate) flags: Vec<&'static str>,
}

/// What one agreement asks for in one billing period.
#[derive(Debug, Serialize)]
pub(crate) struct Bill {
    pub(crate) agreement: String,
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) currency: String,
    pub(crate) partial: bool,
    pub(crate) prices: &'static str,
    pub(crate) lines: Vec<BillLine>,
    pub(crate) vat: Vec<BillVat>,
    pub(crate) total: String,
    pub(crate) flags: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct BillLine {
    pub(crate) version: String,
    pub(crate) component: String,
    pub(crate) band: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity_mwh: Option<i64>,
    pub(crate) vat: String,
    pub(crate) amount: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct BillVat {
    pub(crate) percent: String,
    pub(crate) base: String,
    pub(crate) amount: String,
}

/// A quarter-hour taken apart.
#[derive(Debug, Serialize)]
pub(crate) struct Slot {
    pub(crate) start: String,
    pub(crate) lines: Vec<SlotLine>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SlotLine {
    #[serde(flatten)]
    pub(crate) name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity_mwh: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) portions: Vec<Portion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) published: Option<String>,
    pub(crate) base: Option<String>,
    pub(crate) amount: Option<String>,
    pub(crate) vat: Option<String>,
    pub(crate) flags: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Portion {
    pub(crate) mwh: i64,
    pub(crate) price: String,
}

/// What a load's energy cost.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) meter: String,
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) currency: Option<String>,
    pub(crate) energy_mwh: Option<i64>,
    pub(crate) grid_mwh: Option<i64>,
    pub(crate) amount: Option<String>,
    pub(crate) forgone: Option<String>,
    pub(crate) flags: Vec<&'static str>,
}

/// What the roof or the battery saved.
#[derive(Debug, Serialize)]
pub(crate) struct Value {
    pub(crate) kind: &'static str,
    pub(crate) currency: String,
    pub(crate) energy_mwh: Option<i64>,
    pub(crate) not_bought: String,
    pub(crate) not_sold: String,
    pub(crate) amount: String,
    pub(crate) flags: Vec<&'static str>,
}

/// What other agreements would have cost.
#[derive(Debug, Serialize)]
pub(crate) struct WhatIf {
    pub(crate) id: String,
    pub(crate) amounts: Vec<Amount>,
    pub(crate) difference: Vec<Amount>,
    pub(crate) quarters_priced: usize,
    pub(crate) flags: Vec<&'static str>,
}

/// Computes everything that a question asks.
pub(crate) fn answer(question: &Question) -> Result<Answer, Beyond> {
    let world = World::new(question);
    let mut quarters = question.explain.clone();
    quarters.extend(question.shares.iter().flat_map(|share| share.span.clone()));
    quarters.sort_unstable();
    quarters.dedup();
    let looks = Looks { quarters, bills: question.bills };
    let set = Set::new(&world, &question.agreements, &looks)?;
    let summed = buckets::Summed::new(&world, &set);
    let what_if = buckets::what_if(&world, &summed)?;
    let bills = if question.bills { bills::bills(&world, &set)? } else { Vec::new() };
    Ok(Answer {
        buckets: if world.buckets.len() > 1 { summed.buckets(&world, &set) } else { Vec::new() },
        total: summed.total(&world, &set),
        capacity: capacity(&set)?,
        bills,
        slots: slots::slots(question, &set),
        shares: shares::shares(&world, &set)?,
        values: values::values(&world, &set)?,
        what_if,
    })
}

fn capacity(set: &Set<'_>) -> Result<Vec<Capacity>, Beyond> {
    let months = set.courses.iter().flat_map(|course| course.months.iter().map(move |month| (course, month)));
    months.map(|(course, month)| one_capacity(course, month)).collect()
}

fn one_capacity(course: &Course<'_>, month: &Month) -> Result<Capacity, Beyond> {
    let version = &course.tariff.versions[month.version];
    let component = &version.components[month.component];
    let kw = |kw: Option<Exact>| {
        let micro = kw.map(|kw| kw.rounded(1, 1_000, Rounding::Floor)).transpose()?;
        Ok(micro.map(money))
    };
    let amount = month.amount.map(|base| Vat::new(course.tariff, component).rounded(base)).transpose()?;
    Ok(Capacity {
        agreement: course.agreement.id.clone(),
        version: day::text(version.from),
        component: component.id.clone(),
        month: day::month_text(month.first),
        peak_kw: kw(month.peak)?,
        at: month.at.iter().map(|quarter| instant(*quarter)).collect(),
        billed_kw: kw(month.billed)?,
        amount: amount.map(|(amount, _)| money(amount)),
        flags: month.flags.words(),
    })
}

fn name(course: &Course<'_>, line: &Line) -> Name {
    Name {
        agreement: course.agreement.id.clone(),
        version: day::text(course.version(line).from),
        component: course.component(line).id.clone(),
        band: line.band.clone(),
    }
}

/// Of 10⁻⁶.
fn money(micro: i128) -> String {
    fixed(micro, AMOUNT_PLACES)
}

fn instant(quarter: Quarter) -> String {
    instant_us(quarter * QUARTER_S * 1_000_000)
}

fn instant_us(us: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(us).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|flag| !**flag).count()
}

/// What is said of a home that is not known.
const UNKNOWN_HOME: Flags = Flags::NO_ENERGY;
