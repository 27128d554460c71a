//! Lines over time: by bucket, in all, and with other agreements.

use std::ops::Range;

use super::{Amount, Bucket, LineSum, WhatIf, count, instant, money, name};
use crate::clock::Quarter;
use crate::course::Looks;
use crate::exact::Beyond;
use crate::flags::Flags;
use crate::flow::Flow;
use crate::model::Measure;
use crate::set::Set;
use crate::settle::Shown;
use crate::world::World;

/// A line by course and place, and what it shows.
type Sum = (usize, usize, Shown);

/// Lines by bucket.
pub(super) struct Summed {
    by_bucket: Vec<Vec<Sum>>,
    total: Vec<Sum>,
    amounts: Vec<(String, Shown)>,
    import: Vec<Flow>,
    export: Vec<Flow>,
}

// === impl Summed ===

impl Summed {
    pub(super) fn new(world: &World<'_>, set: &Set<'_>) -> Self {
        let mut by_bucket: Vec<Vec<Sum>> = vec![Vec::new(); world.buckets.len()];
        let mut total = Vec::new();
        for (course, lines) in set.shown.iter().enumerate() {
            for (line, shown) in lines.iter().enumerate() {
                for (interval, shown) in shown {
                    let Some(bucket) = set.courses[course].intervals[*interval].bucket else { continue };
                    add(&mut by_bucket[bucket], (course, line, *shown));
                    add(&mut total, (course, line, *shown));
                }
            }
        }
        let grid = world.flows.grid();
        let amounts = amounts(set, &total);
        let (import, export) =
            (world.flows.of(&grid, Measure::Import), world.flows.of(&grid, Measure::Export));
        Self { by_bucket, total, amounts, import, export }
    }

    pub(super) fn buckets(&self, world: &World<'_>, set: &Set<'_>) -> Vec<Bucket> {
        let pairs = world.buckets.iter().zip(&self.by_bucket);
        pairs.map(|(span, sums)| self.bucket(world, set, span, sums)).collect()
    }

    pub(super) fn total(&self, world: &World<'_>, set: &Set<'_>) -> Bucket {
        self.bucket(world, set, &world.question.range, &self.total)
    }

    fn bucket(&self, world: &World<'_>, set: &Set<'_>, span: &Range<Quarter>, sums: &[Sum]) -> Bucket {
        let in_range = |quarter: Quarter| usize::try_from(quarter - world.question.range.start).unwrap_or(0);
        let places = in_range(span.start)..in_range(span.end);
        let in_window = world.flows.index(span.start)..world.flows.index(span.end);
        let energy = |flows: &[Flow]| {
            let mut known = flows.iter().filter(|flow| flow.is_known).peekable();
            known.peek().is_some().then(|| known.map(|flow| flow.mwh).sum())
        };
        let lines = sums.iter().map(|(course, line, shown)| {
            let course = &set.courses[*course];
            LineSum {
                name: name(course, &course.lines[*line]),
                currency: course.tariff.currency.clone(),
                quantity_mwh: shown.quantity_mwh,
                amount: shown.amount.map(money),
                vat: shown.vat.map(money),
                flags: shown.flags.words(),
            }
        });
        Bucket {
            start: instant(span.start),
            end: instant(span.end),
            import_mwh: energy(&self.import[in_window.clone()]),
            export_mwh: energy(&self.export[in_window]),
            amounts: amounts(set, sums).iter().map(written).collect(),
            quarters: places.len(),
            quarters_energy: count(&set.gaps.energy[places.clone()]),
            quarters_priced: count(&set.gaps.price[places.clone()]),
            flags: flags(set, sums, places).words(),
            lines: lines.collect(),
        }
    }
}

/// Lines come one after the other, so the last one is the only one that can be the same.
fn add(sums: &mut Vec<Sum>, one: Sum) {
    match sums.last_mut() {
        Some((course, line, shown)) if (*course, *line) == (one.0, one.1) => shown.add(&one.2),
        _ => sums.push(one),
    }
}

fn flags(set: &Set<'_>, sums: &[Sum], places: Range<usize>) -> Flags {
    let lacks = set.no_tariff[places].iter().any(|lacks| *lacks);
    let own = if lacks { Flags::NO_TARIFF } else { Flags::NONE };
    sums.iter().fold(own, |flags, (_, _, shown)| flags | shown.flags)
}

/// By currency, in the order of the agreements.
fn amounts(set: &Set<'_>, sums: &[Sum]) -> Vec<(String, Shown)> {
    let mut found = Vec::new();
    for currency in set.currencies() {
        let mut own =
            sums.iter().filter(|(course, _, _)| set.courses[*course].tariff.currency == currency).peekable();
        if own.peek().is_some() {
            let mut whole = Shown::default();
            own.for_each(|(_, _, shown)| whole.add(shown));
            found.push((currency.to_owned(), whole));
        }
    }
    found
}

fn written((currency, shown): &(String, Shown)) -> Amount {
    Amount { currency: currency.clone(), amount: shown.amount.map(money), vat: shown.vat.map(money) }
}

/// The same energy with other sets of agreements.
pub(super) fn what_if(world: &World<'_>, own: &Summed) -> Result<Vec<WhatIf>, Beyond> {
    let looks = Looks::default();
    let mut found = Vec::new();
    for one in &world.question.what_if {
        let set = Set::new(world, &one.agreements, &looks)?;
        let summed = Summed::new(world, &set);
        found.push(WhatIf {
            id: one.id.clone(),
            amounts: summed.amounts.iter().map(written).collect(),
            difference: difference(&summed.amounts, &own.amounts),
            quarters_priced: count(&set.gaps.price),
            flags: flags(&set, &summed.total, 0..set.no_tariff.len()).words(),
        });
    }
    Ok(found)
}

/// In each currency of one or the other.
fn difference(other: &[(String, Shown)], own: &[(String, Shown)]) -> Vec<Amount> {
    let amount = |amounts: &[(String, Shown)], currency: &str| {
        amounts.iter().find(|(name, _)| name == currency).map_or(Some(0), |(_, shown)| shown.amount)
    };
    let only_own = own.iter().filter(|(currency, _)| !other.iter().any(|(name, _)| name == currency));
    let currencies = other.iter().chain(only_own).map(|(currency, _)| currency);
    let difference = |currency: &String| Amount {
        currency: currency.clone(),
        amount: amount(other, currency).zip(amount(own, currency)).map(|(other, own)| money(other - own)),
        vat: None,
    };
    currencies.map(difference).collect()
}
