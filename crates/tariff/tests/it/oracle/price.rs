//! Which band, and which price.

use std::collections::BTreeSet;

use chrono::Datelike;
use serde_json::Value;

use super::time::{Time, date, day_of};
use super::{Course, Ratio, decimal, list, quarter};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Course<'_> {
    /// The first band that fits.
    pub(super) fn band<'b>(&self, component: &Value, bands: &'b [Value], at: i64) -> Option<&'b Value> {
        bands.iter().find_map(|band| match self.fits(component, &band["when"], at) {
            Some(fits) => fits.then_some(Some(band)),
            None => Some(None),
        })?
    }

    /// Whether conditions hold; none outside of the calendar.
    pub(super) fn fits(&self, component: &Value, when: &Value, at: i64) -> Option<bool> {
        let own = component["zone"].as_str().map(Time::new);
        let time = own.as_ref().unwrap_or(&self.time);
        let clock = time.clock(at);
        let begin = component["day_starts_at"].as_str().map_or(0, minutes) / 15;
        let day = time.day(at) - i64::from(clock < begin);
        let mut word = "";
        if let Some(id) = component["calendar"].as_str() {
            let calendar = list(self.input, "calendars").iter().find(|one| one["id"] == id).unwrap();
            let known = day_of(calendar["from"].as_str().unwrap())..day_of(calendar["to"].as_str().unwrap());
            if !known.contains(&day) {
                return None;
            }
            word = calendar["days"][date(day).to_string()].as_str().unwrap_or("");
        }
        let any = |key: &str, fits: &dyn Fn(&str) -> bool| {
            when[key].is_null() || list(when, key).iter().any(|one| fits(one.as_str().unwrap()))
        };
        let span = |text: &str, now: i64| {
            let (from, to) = text.split_once('-').unwrap();
            let (from, to) = (minutes(from), minutes(to));
            if from < to { (from..to).contains(&now) } else { now >= from || now < to }
        };
        let weekday = date(day).weekday().num_days_from_monday() as usize;
        let weekdays = |text: &str| {
            let place = |name: &str| DAYS.iter().position(|day| *day == name).unwrap();
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            let (from, to) = (place(from), place(to));
            (0..7).map(|ahead| (from + ahead) % 7).take((to + 7 - from) % 7 + 1).any(|one| one == weekday)
        };
        let today = date(day).format("%m-%d").to_string();
        let dates = |text: &str| {
            let (from, to) = text.split_once('/').unwrap();
            if from <= to { (from..=to).contains(&&*today) } else { &*today >= from || &*today <= to }
        };
        let not = list(when, "not_kinds").iter().any(|one| one == word);
        Some(
            any("hours", &|text| span(text, clock * 15))
                && any("days", &weekdays)
                && any("dates", &dates)
                && any("kinds", &|text| text == word)
                && !not,
        )
    }

    /// In 10⁻⁹ per kWh.
    pub(super) fn price(
        &self,
        component: &Value,
        rate: &Value,
        at: i64,
        flags: &mut BTreeSet<&'static str>,
    ) -> Option<i128> {
        let spot = &rate["spot"];
        if spot.is_null() {
            return Some(decimal(&rate["price"], 9));
        }
        let own = component["zone"].as_str().map(Time::new);
        let time = own.as_ref().unwrap_or(&self.time);
        let average = spot["average"].as_str().unwrap_or("PT15M");
        let (day, clock, offset) = (time.day(at), time.clock(at), time.local(at).1);
        let group: Vec<i64> = match average {
            "PT15M" => vec![at],
            "PT1H" => {
                let is_same = |other: &i64| {
                    time.day(*other) == day
                        && time.clock(*other) / 4 == clock / 4
                        && time.local(*other).1 == offset
                };
                (at - 4..at + 5).filter(is_same).collect()
            }
            "P1D" => (time.start(day)..time.start(day + 1)).collect(),
            _ => {
                let (from, to) = time.month(day);
                (time.start(from)..time.start(to)).collect()
            }
        };
        let key = (average.to_owned(), spot["revision"] == "first", group[0], group.len());
        let (sum, count, estimate) = *self.means.borrow_mut().entry(key).or_insert_with(|| {
            let known: Vec<(i128, bool)> = group.iter().filter_map(|at| self.slot(spot, *at)).collect();
            let estimate = known.iter().any(|(_, estimate)| *estimate);
            (known.iter().map(|(price, _)| price).sum(), known.len(), estimate)
        });
        let is_whole = count == group.len();
        if count == 0 || !is_whole && average != "P1M" {
            flags.insert("no_price");
            return None;
        }
        flags.extend(estimate.then_some("estimated_price"));
        flags.extend((!is_whole).then_some("provisional"));
        let optional = |key: &str| (!spot[key].is_null()).then(|| Ratio::whole(decimal(&spot[key], 9)));
        let mut s = Ratio::new(sum, count as i128);
        if let Some(above) = optional("above") {
            s = if s > above { s - above } else { Ratio::whole(0) };
        }
        let factor =
            optional("factor").unwrap_or(Ratio::whole(1_000_000_000)).over(Ratio::whole(1_000_000_000));
        let mut price = factor * s + optional("add").unwrap_or(Ratio::whole(0));
        if let Some(min) = optional("min") {
            price = if price < min { min } else { price };
        }
        if let Some(max) = optional("max") {
            price = if price > max { max } else { price };
        }
        Some(price.round())
    }

    /// The price that counts in a quarter-hour, and whether it is an estimate.
    fn slot(&self, spot: &Value, at: i64) -> Option<(i128, bool)> {
        let mut found: Vec<(bool, i64, i64, i128)> = Vec::new();
        for publication in list(self.input, "prices").iter().filter(|one| one["series"] == spot["series"]) {
            let width = publication["minutes"].as_i64().unwrap() / 15;
            let Ok(place) = usize::try_from((at - quarter(&publication["start"])).div_euclid(width)) else {
                continue;
            };
            let Some(value) = list(publication, "values").get(place).filter(|value| !value.is_null()) else {
                continue;
            };
            let is_final = publication["kind"] != "estimate";
            let revision = publication["revision"].as_i64().unwrap_or(1);
            found.push((is_final, quarter(&publication["published"]), revision, decimal(value, 9)));
        }
        found.sort_unstable();
        let first = found.iter().find(|one| one.0).filter(|_| spot["revision"] == "first");
        first.or(found.last()).map(|one| (one.3, !one.0))
    }
}

fn minutes(text: &str) -> i64 {
    let (hour, minute) = text.split_once(':').unwrap();
    hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap()
}
