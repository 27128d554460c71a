//! Charges for power: all windows of all months, sorted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::time::{Time, day_of};
use super::{Cell, Course, Ratio, decimal, list};

/// Of a month: kW × 10⁹, and flags.
type Peak = (Option<Ratio>, BTreeSet<&'static str>);

pub(super) fn peaks(course: &mut Course<'_>) {
    let versions = list(course.tariff, "versions");
    for version in versions {
        let from = day_of(version["from"].as_str().unwrap());
        if course.version(from) != Some(version) {
            continue;
        }
        let next =
            versions.iter().map(|one| day_of(one["from"].as_str().unwrap())).filter(|day| *day > from).min();
        for component in list(version, "components").iter().filter(|one| one["kind"] == "capacity") {
            months(course, version, component, (from, next.unwrap_or(i64::MAX)));
        }
    }
}

fn months(course: &mut Course<'_>, version: &Value, component: &Value, (from, next): (i64, i64)) {
    let mut before: Vec<Peak> = Vec::new();
    let mut month = course.time.month(course.time.day(course.from));
    while course.time.start(month.0) < course.to {
        before.push(peak(course, component, month));
        let holds = |day: &i64| {
            (from..next).contains(day) && (course.from..course.end).contains(&course.time.start(*day))
        };
        let days: Vec<i64> = (month.0..month.1).filter(holds).collect();
        let last = course.time.start(month.1).min(course.end);
        let is_seen = days.first().is_some_and(|day| course.time.start(*day) < course.to);
        if is_seen && last <= course.to {
            let cell = charge(course, component, &before, month, &days);
            course.put(course.name(version, component, ""), last - 1, cell);
        }
        month = course.time.month(month.1);
    }
}

fn charge(course: &Course<'_>, component: &Value, before: &[Peak], month: (i64, i64), days: &[i64]) -> Cell {
    let count = usize::try_from(component["average_months"].as_i64().unwrap_or(1)).unwrap();
    let last = &before[before.len().saturating_sub(count)..];
    let known: Vec<Ratio> = last.iter().filter_map(|peak| peak.0).collect();
    let mut flags: BTreeSet<&'static str> = last.iter().flat_map(|peak| peak.1.clone()).collect();
    if known.is_empty() {
        flags.insert("no_energy");
        return Cell { flags, ..Cell::default() };
    }
    let sum = known.iter().fold(Ratio::whole(0), |sum, kw| sum + *kw);
    let billed = sum.over(Ratio::whole(known.len() as i128));
    let whole = if component["steps"].is_null() {
        billed * Ratio::new(decimal(&component["price_per_kw"], 9), 1_000)
    } else {
        let is_below = |step: &&Value| {
            let from = Ratio::whole(decimal(&step["from_kw"], 9));
            if component["edge"] == "lower" {
                from < billed || from == Ratio::whole(0)
            } else {
                from <= billed
            }
        };
        let step = list(component, "steps").iter().rfind(is_below);
        Ratio::whole(step.map_or(0, |step| decimal(&step["price"], 9)) * 1_000_000)
    };
    let (from, to) = if component["per"] == "year" { Time::year(month.0) } else { month };
    let mut base = whole * Ratio::new(days.len() as i128, i128::from(to - from));
    if !component["max_per_kwh"].is_null() {
        let (from, to) = (course.time.start(days[0]), course.time.start(days[days.len() - 1] + 1));
        let flows: Vec<_> =
            (from.max(course.from)..to.min(course.to)).map(|at| course.flow("import", at)).collect();
        let mwh: i64 = flows.iter().filter_map(|flow| flow.0).sum();
        let most = Ratio::whole(decimal(&component["max_per_kwh"], 9) * i128::from(mwh));
        base = if most < base { most } else { base };
        flags.extend(flows.iter().any(|flow| flow.1.contains("no_energy")).then_some("provisional"));
    }
    Cell { base: Some(base), flags, ..Cell::default() }
}

/// The mean of the highest windows of a month.
fn peak(course: &Course<'_>, component: &Value, month: (i64, i64)) -> Peak {
    let own = component["zone"].as_str().map(Time::new);
    let time = own.as_ref().unwrap_or(&course.time);
    let width = match component["window"].as_str().unwrap() {
        "PT15M" => 1,
        "PT30M" => 2,
        _ => 4,
    };
    let key = |at: i64| (time.day(at), time.clock(at) / width, time.local(at).1);
    let mut all: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for at in course.time.start(month.0).max(course.from)..course.time.start(month.1).min(course.to) {
        all.entry(key(at)).or_default().push(at);
    }
    let (mut found, mut flags) = (Vec::new(), BTreeSet::new());
    for (own, mut quarters) in all {
        // It belongs to the month in which it begins, and lies whole in the agreement and what is seen.
        quarters.extend((quarters[quarters.len() - 1] + 1..).take_while(|at| key(*at) == own));
        let (first, last) = (quarters[0], quarters[quarters.len() - 1]);
        if key(first - 1) == own || last >= course.to {
            continue;
        }
        if course.fits(component, &component["when"], first) != Some(true) {
            continue;
        }
        let flows: Vec<_> = quarters.iter().map(|at| course.flow("import", *at)).collect();
        if flows.iter().any(|flow| flow.1.contains("no_energy")) {
            flags.insert("provisional");
        }
        let Some(mwh) = flows.iter().map(|flow| flow.0).sum::<Option<i64>>() else { continue };
        let fitting = |one: &&Value| course.fits(component, &one["when"], first) == Some(true);
        let weight = list(component, "weights").iter().find(fitting);
        let weight = weight.map_or(1_000_000_000, |one| decimal(&one["factor"], 9));
        let kw = Ratio::new(i128::from(mwh) * 4_000 * weight, 1_000_000_000 * quarters.len() as i128);
        let estimated = flows.iter().any(|flow| flow.1.contains("estimated"));
        found.push((kw, first, own.0, estimated));
    }
    found.sort_by(|one, two| two.0.partial_cmp(&one.0).unwrap().then(one.1.cmp(&two.1)));
    let most = usize::try_from(component["highest"].as_i64().unwrap_or(1)).unwrap();
    let mut highest: Vec<(Ratio, i64, i64, bool)> = Vec::new();
    for window in found {
        let is_taken = highest.iter().any(|other| other.2 == window.2) && component["distinct_days"] == true;
        if highest.len() < most && !is_taken {
            highest.push(window);
        }
    }
    if highest.is_empty() {
        return (None, flags);
    }
    flags.extend(highest.iter().any(|window| window.3).then_some("estimated"));
    let sum = highest.iter().fold(Ratio::whole(0), |sum, window| sum + window.0);
    let mean = sum.over(Ratio::whole(highest.len() as i128));
    let least = if component["min_kw"].is_null() {
        Ratio::whole(0)
    } else {
        Ratio::whole(decimal(&component["min_kw"], 9))
    };
    (Some(if mean < least { least } else { mean }), flags)
}
