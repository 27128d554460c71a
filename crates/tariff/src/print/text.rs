//! A bill that a person can check with a pocket calculator.

use super::table::Side::{Left, Right};
use super::table::table;
use crate::answer::{Answer, Bill, Bucket, LineSum};
use crate::clock::QUARTER_S;
use crate::model::Question;
use crate::number::{ENERGY_PLACES, fixed, short};

/// What each flag tells a person.
const EXPLAINED: [(&str, &str); 8] = [
    ("estimated", "some energy was estimated where the meter said nothing"),
    ("estimated_price", "some prices are estimates"),
    ("imbalance", "loads took more than the home's meters account for"),
    ("no_energy", "some energy is not known and not in the sums"),
    ("no_price", "some prices are not known; what they would cost is not in the sums"),
    ("no_tariff", "for some of the time there is no agreement"),
    ("open", "a month is not over; its charge is not in the sums"),
    ("provisional", "may still change without any correction"),
];

pub(super) fn text(question: &Question, answer: &Answer) -> String {
    let mut parts = vec![head(question, &answer.total), lines(&answer.total), sums(&answer.total)];
    parts.push(buckets(question, answer));
    parts.push(capacity(answer));
    parts.extend(answer.bills.iter().map(bill));
    parts.push(slots(answer));
    parts.push(shares(answer));
    parts.push(values(answer));
    parts.push(what_if(answer));
    parts.push(remarks(answer));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn head(question: &Question, total: &Bucket) -> String {
    let zone = question.zone;
    let energy = |mwh: Option<i64>| mwh.map_or("unknown".to_owned(), |mwh| format!("{} kWh", kwh(mwh)));
    format!(
        "Cost from {} to {} ({zone})\nbought {}, sold {}; {} of {} quarter-hours with energy, {} with prices\n",
        local(question, question.range.start),
        local(question, question.range.end),
        energy(total.import_mwh),
        energy(total.export_mwh),
        total.quarters_energy,
        total.quarters,
        total.quarters_priced,
    )
}

fn local(question: &Question, quarter: i64) -> String {
    let time = chrono::DateTime::from_timestamp(quarter * QUARTER_S, 0).unwrap_or_default();
    time.with_timezone(&question.zone).format("%Y-%m-%d %H:%M").to_string()
}

fn kwh(mwh: i64) -> String {
    short(mwh.into(), ENERGY_PLACES)
}

fn lines(total: &Bucket) -> String {
    let header = [
        ("agreement", Left),
        ("since", Left),
        ("component", Left),
        ("band", Left),
        ("kWh", Right),
        ("per kWh", Right),
        ("VAT in it", Right),
        ("amount", Right),
        ("", Left),
    ];
    let row = |line: &LineSum| {
        let name = &line.name;
        vec![
            name.agreement.clone(),
            name.version.clone(),
            name.component.clone(),
            name.band.clone().unwrap_or_default(),
            line.quantity_mwh.map(kwh).unwrap_or_default(),
            per_kwh(line).unwrap_or_default(),
            line.vat.clone().unwrap_or_default(),
            line.amount.clone().unwrap_or_else(|| "unknown".to_owned()),
            format!("{} {}", line.currency, marks(&line.flags)).trim_end().to_owned(),
        ]
    };
    if total.lines.is_empty() {
        return "  no agreement holds\n".to_owned();
    }
    table(&header, &total.lines.iter().map(row).collect::<Vec<_>>())
}

/// The mean price, VAT in it: amount ÷ kWh.
fn per_kwh(line: &LineSum) -> Option<String> {
    let (micro, mwh) =
        (micro(line.amount.as_deref()?)?, i128::from(line.quantity_mwh.filter(|mwh| *mwh != 0)?));
    let (num, den) = (micro * 1_000_000 * mwh.signum(), mwh.abs());
    Some(fixed((2 * num + den).div_euclid(2 * den), ENERGY_PLACES))
}

fn micro(amount: &str) -> Option<i128> {
    amount.replace('.', "").parse().ok()
}

fn marks(flags: &[&str]) -> String {
    if flags.is_empty() { String::new() } else { format!("({})", flags.join(", ")) }
}

fn sums(total: &Bucket) -> String {
    let sum = |amount: &crate::answer::Amount| {
        let unknown = || "unknown".to_owned();
        format!(
            "  to pay {} {}, VAT in it {}\n",
            amount.amount.clone().unwrap_or_else(unknown),
            amount.currency,
            amount.vat.clone().unwrap_or_else(unknown)
        )
    };
    total.amounts.iter().map(sum).collect()
}

fn buckets(question: &Question, answer: &Answer) -> String {
    if answer.buckets.is_empty() {
        return String::new();
    }
    let header = [("from", Left), ("bought kWh", Right), ("sold kWh", Right), ("amount", Right), ("", Left)];
    let row = |bucket: &Bucket| {
        let start = chrono::DateTime::parse_from_rfc3339(&bucket.start).unwrap_or_default();
        let amount = |one: &crate::answer::Amount| {
            format!("{} {}", one.amount.as_deref().unwrap_or("unknown"), one.currency)
        };
        vec![
            start.with_timezone(&question.zone).format("%Y-%m-%d %H:%M %z").to_string(),
            bucket.import_mwh.map(kwh).unwrap_or_default(),
            bucket.export_mwh.map(kwh).unwrap_or_default(),
            bucket.amounts.iter().map(amount).collect::<Vec<_>>().join(" + "),
            marks(&bucket.flags),
        ]
    };
    table(&header, &answer.buckets.iter().map(row).collect::<Vec<_>>())
}

fn capacity(answer: &Answer) -> String {
    if answer.capacity.is_empty() {
        return String::new();
    }
    let header = [
        ("capacity", Left),
        ("month", Left),
        ("peak kW", Right),
        ("billed kW", Right),
        ("amount", Right),
        ("at", Left),
    ];
    let row = |one: &crate::answer::Capacity| {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
        vec![
            format!("{} {}", one.agreement, one.component),
            one.month.clone(),
            text(&one.peak_kw),
            text(&one.billed_kw),
            text(&one.amount),
            format!("{} {}", one.at.join(" "), marks(&one.flags)).trim_end().to_owned(),
        ]
    };
    table(&header, &answer.capacity.iter().map(row).collect::<Vec<_>>())
}

fn bill(bill: &Bill) -> String {
    let header = [
        ("since", Left),
        ("component", Left),
        ("band", Left),
        ("kWh", Right),
        ("VAT %", Right),
        (bill.prices, Right),
    ];
    let row = |line: &crate::answer::BillLine| {
        vec![
            line.version.clone(),
            line.component.clone(),
            line.band.clone().unwrap_or_default(),
            line.quantity_mwh.map(kwh).unwrap_or_default(),
            line.vat.clone(),
            line.amount.clone().unwrap_or_else(|| "unknown".to_owned()),
        ]
    };
    let part = if bill.partial { ", a part of it" } else { "" };
    let contained = if bill.prices == "gross" { "contains" } else { "plus" };
    let vat = |row: &crate::answer::BillVat| {
        format!("  {contained} {} % VAT of {}: {}\n", row.percent, row.base, row.amount)
    };
    format!(
        "Bill of {} from {} to {}{part} {}\n{}{}  total {} {}\n",
        bill.agreement,
        bill.start,
        bill.end,
        marks(&bill.flags),
        table(&header, &bill.lines.iter().map(row).collect::<Vec<_>>()),
        bill.vat.iter().map(vat).collect::<String>(),
        bill.total,
        bill.currency,
    )
    .replacen(" \n", "\n", 1)
}

fn slots(answer: &Answer) -> String {
    let line = |line: &crate::answer::SlotLine| {
        let portion = |one: &crate::answer::Portion| format!("{} kWh × {}", kwh(one.mwh), one.price);
        let portions: Vec<String> = line.portions.iter().map(portion).collect();
        let name = &line.name;
        format!(
            "  {} {} {}: {} = {} {}{}\n",
            name.agreement,
            name.component,
            name.band.as_deref().unwrap_or_default(),
            if portions.is_empty() { "due".to_owned() } else { portions.join(" + ") },
            line.base.as_deref().unwrap_or("unknown"),
            line.published.as_ref().map(|time| format!("(price published {time}) ")).unwrap_or_default(),
            marks(&line.flags),
        )
    };
    let slot = |slot: &crate::answer::Slot| {
        format!("Quarter-hour {}\n{}", slot.start, slot.lines.iter().map(line).collect::<String>())
    };
    answer.slots.iter().map(slot).collect()
}

fn shares(answer: &Answer) -> String {
    let share = |share: &crate::answer::Share| {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
        let energy = |mwh: Option<i64>| mwh.map_or("unknown".to_owned(), kwh);
        format!(
            "Share of {} from {} to {}: {} kWh, {} of it bought for {}; its own energy would have earned {} {} {}\n",
            share.meter,
            share.start,
            share.end,
            energy(share.energy_mwh),
            energy(share.grid_mwh),
            text(&share.amount),
            text(&share.forgone),
            share.currency.as_deref().unwrap_or_default(),
            marks(&share.flags),
        )
    };
    answer.shares.iter().map(share).collect()
}

fn values(answer: &Answer) -> String {
    let value = |value: &crate::answer::Value| {
        format!(
            "Saved by {}: {} {}: {} not bought less {} not sold {}\n",
            value.kind,
            value.amount,
            value.currency,
            value.not_bought,
            value.not_sold,
            marks(&value.flags),
        )
    };
    answer.values.iter().map(value).collect()
}

fn what_if(answer: &Answer) -> String {
    let amounts = |amounts: &[crate::answer::Amount]| {
        let one = |one: &crate::answer::Amount| {
            format!("{} {}", one.amount.as_deref().unwrap_or("unknown"), one.currency)
        };
        amounts.iter().map(one).collect::<Vec<_>>().join(" + ")
    };
    let set = |set: &crate::answer::WhatIf| {
        let (own, more) = (amounts(&set.amounts), amounts(&set.difference));
        format!("With {}: {own}, {more} more than now {}\n", set.id, marks(&set.flags))
    };
    answer.what_if.iter().map(set).collect()
}

fn remarks(answer: &Answer) -> String {
    let mut flags: Vec<&str> = answer.total.flags.clone();
    flags.extend(answer.capacity.iter().flat_map(|one| one.flags.iter().copied()));
    flags.extend(answer.shares.iter().flat_map(|one| one.flags.iter().copied()));
    flags.extend(answer.what_if.iter().flat_map(|one| one.flags.iter().copied()));
    let said = EXPLAINED.iter().filter(|(flag, _)| flags.contains(flag));
    said.map(|(flag, meaning)| format!("{flag}: {meaning}\n")).collect()
}
