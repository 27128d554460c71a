//! The rules once more, slowly and by themselves: every quarter-hour since an agreement began is looked at, counters are
//! sums over all that was before, and nothing is taken from the crate. Reads the question as JSON.

mod peak;
mod price;
mod ratio;
mod time;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) use ratio::Ratio;
use time::{Time, day_of};

/// Agreement, version, component, band.
pub(crate) type Name = (String, String, String, String);

/// A line in a quarter-hour.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// In the tariff's basis, 10⁻¹⁵ of the currency.
    base: Option<Ratio>,
    pub(crate) mwh: Option<i64>,
    pub(crate) flags: BTreeSet<&'static str>,
    /// In millionths.
    pub(crate) amount: Option<i128>,
    pub(crate) vat: Option<i128>,
}

pub(crate) type Lines = BTreeMap<Name, BTreeMap<i64, Cell>>;

/// Quarter-hour, date, band, mWh, and whether all of it is known.
type Move = (i64, i64, String, i64, bool);
/// Average, whether of the first publication, the first quarter-hour, and how many.
type Group = (String, bool, i64, usize);

/// One agreement.
struct Course<'a> {
    input: &'a Value,
    tariff: &'a Value,
    id: &'a str,
    time: Time,
    meters: Vec<&'a Value>,
    from: i64,
    /// Where the agreement ends, and where that or the range does.
    end: i64,
    to: i64,
    billing: Option<(i64, i64)>,
    lines: Lines,
    /// By component.
    moves: BTreeMap<String, Vec<Move>>,
    /// Sum and number of known prices, and whether one is an estimate.
    means: RefCell<BTreeMap<Group, (i128, usize, bool)>>,
}

/// What every line shows in every quarter-hour of the range.
pub(crate) fn oracle(input: &Value) -> Lines {
    let mut all = Lines::new();
    for agreement in list(input, "agreements") {
        all.extend(Course::new(input, agreement).run());
    }
    all
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// A decimal in units of 10^-`places`.
fn decimal(value: &Value, places: usize) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= places, "{text}");
    format!("{whole}{part:0<places$}").parse().unwrap()
}

fn quarter(value: &Value) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
    time.timestamp() / 900
}

impl<'a> Course<'a> {
    fn new(input: &'a Value, agreement: &'a Value) -> Self {
        let tariff =
            list(input, "tariffs").iter().find(|tariff| tariff["id"] == agreement["tariff"]).unwrap();
        let zone = agreement["zone"].as_str().or(input["zone"].as_str()).unwrap();
        let time = Time::new(zone);
        let start = |value: &Value| value.as_str().map(|text| time.start(day_of(text)));
        let end = start(&agreement["to"]).unwrap_or(i64::MAX);
        let named: Vec<&Value> = list(agreement, "meters").iter().collect();
        let is_own = |meter: &&Value| {
            meter["role"] == "grid" && (named.is_empty() || named.iter().any(|id| **id == meter["id"]))
        };
        let billing = &agreement["billing"];
        Self {
            input,
            tariff,
            id: agreement["id"].as_str().unwrap(),
            meters: list(input, "meters").iter().filter(is_own).collect(),
            from: start(&agreement["from"]).unwrap(),
            end,
            to: end.min(quarter(&input["range"][1])),
            billing: billing["months"]
                .as_i64()
                .map(|months| (day_of(billing["from"].as_str().unwrap()), months)),
            lines: Lines::new(),
            moves: BTreeMap::new(),
            means: RefCell::default(),
            time,
        }
    }

    fn run(mut self) -> Lines {
        for at in self.from..self.to {
            if let Some(version) = self.version(self.time.day(at)) {
                for component in list(version, "components") {
                    self.component(version, component, at);
                }
            }
        }
        peak::peaks(&mut self);
        // A charge for power is booked after the end of its version, too: percentages of it go along.
        let versions = list(self.tariff, "versions").iter();
        let versions =
            versions.filter(|one| self.version(day_of(one["from"].as_str().unwrap())) == Some(one));
        let versions: Vec<&Value> = versions.collect();
        for at in self.from..self.to {
            let held = self.version(self.time.day(at));
            for version in &versions {
                for component in list(version, "components") {
                    match component["kind"].as_str() {
                        Some("percent") => self.percent(version, component, at),
                        Some("minimum") if held == Some(version) => self.minimum(version, component, at),
                        _ => {}
                    }
                }
            }
        }
        self.round();
        let from = quarter(&self.input["range"][0]);
        for cells in self.lines.values_mut() {
            cells.retain(|at, _| *at >= from);
        }
        self.lines
    }

    /// The version of a date: of one date the one that was recorded last.
    fn version(&self, day: i64) -> Option<&'a Value> {
        let own =
            list(self.tariff, "versions").iter().filter(|one| day_of(one["from"].as_str().unwrap()) <= day);
        own.max_by_key(|one| (one["from"].as_str().unwrap(), one["recorded"].as_str().unwrap_or("")))
    }

    fn name(&self, version: &Value, component: &Value, band: &str) -> Name {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (self.id.to_owned(), text(&version["from"]), text(&component["id"]), band.to_owned())
    }

    fn put(&mut self, name: Name, at: i64, cell: Cell) {
        assert!(self.lines.entry(name).or_default().insert(at, cell).is_none());
    }

    fn component(&mut self, version: &Value, component: &Value, at: i64) {
        match component["kind"].as_str().unwrap() {
            "energy" => self.energy(version, component, at),
            "standing" => {
                let day = self.time.day(at);
                let days = match component["per"].as_str().unwrap() {
                    "day" => 1,
                    "month" => self.time.month(day).1 - self.time.month(day).0,
                    _ => Time::year(day).1 - Time::year(day).0,
                };
                let quarters = self.time.start(day + 1) - self.time.start(day);
                let times = if component["times"].is_null() {
                    1_000_000_000
                } else {
                    decimal(&component["times"], 9)
                };
                let price = Ratio::new(decimal(&component["price"], 9) * times, 1_000);
                let base = price.over(Ratio::whole(days.into())).over(Ratio::whole(quarters.into()));
                self.put(self.name(version, component, ""), at, Cell { base: Some(base), ..Cell::default() });
            }
            "once" => {
                let day = day_of(component["date"].as_str().unwrap());
                if at == self.time.start(day) {
                    let base = Ratio::whole(decimal(&component["amount"], 9) * 1_000_000);
                    self.put(
                        self.name(version, component, ""),
                        at,
                        Cell { base: Some(base), ..Cell::default() },
                    );
                }
            }
            _ => {}
        }
    }

    /// Energy and its flags; none where nothing is known.
    fn flow(&self, measure: &str, at: i64) -> (Option<i64>, BTreeSet<&'static str>) {
        let (mut sum, mut flags) = (None, BTreeSet::new());
        for meter in &self.meters {
            let mut known = [None, None];
            for run in list(meter, "runs") {
                let from = quarter(&run["from"]);
                for (known, key) in known.iter_mut().zip(["import_mwh", "export_mwh"]) {
                    let values = list(run, key);
                    if !values.is_empty() && (from..quarter(&run["to"])).contains(&at) {
                        let place = usize::try_from(at - from).unwrap() % values.len();
                        let estimated =
                            list(run, "quality").iter().any(|word| word == "gap" || word == "power");
                        *known = values[place].as_i64().map(|mwh| (mwh, estimated));
                    }
                }
            }
            let own = match (measure, known) {
                ("import", [own, _]) | ("export", [_, own]) => own,
                (_, [Some((import, one)), Some((export, two))]) => Some((import - export, one || two)),
                _ => None,
            };
            match own {
                Some((mwh, estimated)) => {
                    sum = Some(sum.unwrap_or(0) + mwh);
                    flags.extend(estimated.then_some("estimated"));
                }
                None => drop(flags.insert("no_energy")),
            }
        }
        (sum, flags)
    }

    fn energy(&mut self, version: &Value, component: &Value, at: i64) {
        let measure = component["measure"].as_str().unwrap_or("import");
        let (mwh, mut flags) = self.flow(measure, at);
        let bands = list(component, "bands");
        let rate = if bands.is_empty() { Some(component) } else { self.band(component, bands, at) };
        let band =
            rate.and_then(|rate| if bands.is_empty() { None } else { rate["id"].as_str() }).unwrap_or("");
        let base = match rate {
            Some(rate) => self.rated(component, rate, band, (measure, mwh), at, &mut flags),
            None => {
                flags.insert("no_price");
                (mwh == Some(0)).then_some(Ratio::whole(0))
            }
        };
        if mwh.is_none() {
            flags.remove("estimated");
        }
        let cell = Cell { base, mwh, flags: flags.clone(), ..Cell::default() };
        self.put(self.name(version, component, band), at, cell);
        let moved = (at, self.time.day(at), band.to_owned(), mwh.unwrap_or(0), !flags.contains("no_energy"));
        let all = self.moves.entry(component["id"].as_str().unwrap().to_owned()).or_default();
        if rate.is_some() {
            all.push(moved);
        } else if mwh != Some(0) || flags.contains("no_energy") {
            // It might have been any of them.
            let names: BTreeSet<String> =
                bands.iter().map(|band| band["id"].as_str().unwrap().to_owned()).collect();
            all.extend(names.into_iter().map(|name| (at, moved.1, name, 0, false)));
        }
    }

    /// The exact amount in a band.
    fn rated(
        &self,
        component: &Value,
        rate: &Value,
        band: &str,
        (measure, mwh): (&str, Option<i64>),
        at: i64,
        flags: &mut BTreeSet<&'static str>,
    ) -> Option<Ratio> {
        let sign = if measure == "export" { -1 } else { 1 };
        let Some(tiers) = rate["tiers"]
            .as_array()
            .cloned()
            .or_else(|| (measure == "net").then(|| vec![serde_json::json!({"price": rate["price"]})]))
        else {
            let price = self.price(component, rate, at, flags);
            let base = price.zip(mwh).map(|(price, mwh)| Ratio::whole(sign * price * i128::from(mwh)));
            return base.or((mwh == Some(0)).then_some(Ratio::whole(0)));
        };
        let prices: Vec<Option<i128>> =
            tiers.iter().map(|tier| self.price(component, tier, at, flags)).collect();
        let (from, to) = self.period(component["per"].as_str().unwrap(), self.time.day(at));
        let own = self.moves.get(component["id"].as_str().unwrap()).into_iter().flatten();
        let own: Vec<_> = own.filter(|one| one.2 == band && (from..to).contains(&one.1)).collect();
        let counter: i64 = own.iter().map(|one| one.3).sum();
        if mwh.is_some() && own.iter().any(|one| !one.4) {
            flags.insert("provisional");
        }
        let mwh = mwh?;
        if prices.contains(&None) {
            return (mwh == 0).then_some(Ratio::whole(0));
        }
        let edges: Vec<i128> = tiers.iter().filter_map(|tier| self.edge(component, tier, from, to)).collect();
        let prices: Vec<i128> = prices.into_iter().flatten().collect();
        let surplus = (measure == "net").then(|| decimal(&rate["surplus"], 9));
        let area = |counter: i64| area(i128::from(counter), &edges, &prices, surplus);
        Some(Ratio::whole(sign * (area(counter + mwh) - area(counter))))
    }

    /// Up to where a tier goes, in mWh.
    fn edge(&self, component: &Value, tier: &Value, from: i64, to: i64) -> Option<i128> {
        let held = self.days_held(from, to);
        let exact = if !tier["up_to_kwh_per_day"].is_null() {
            Ratio::new(decimal(&tier["up_to_kwh_per_day"], 9) * i128::from(held), 1_000)
        } else if tier["up_to_kwh"].is_null() {
            return None;
        } else if component["prorate"] == true {
            Ratio::new(decimal(&tier["up_to_kwh"], 9) * i128::from(held), 1_000 * i128::from(to - from))
        } else {
            Ratio::new(decimal(&tier["up_to_kwh"], 9), 1_000)
        };
        Some(exact.round())
    }

    /// Dates of a period on which the agreement holds.
    fn days_held(&self, from: i64, to: i64) -> i64 {
        let held = |day: &i64| (self.from..self.end).contains(&self.time.start(*day));
        i64::try_from((from..to).filter(held).count()).unwrap()
    }

    fn period(&self, per: &str, day: i64) -> (i64, i64) {
        match (per, self.billing) {
            ("day", _) => (day, day + 1),
            ("year", _) => Time::year(day),
            ("billing", Some((from, months))) => time::billing(from, months, day),
            _ => self.time.month(day),
        }
    }

    /// The named components' cells here, of a version or of all.
    fn named(&self, component: &Value, version: Option<&Value>, at: i64) -> Vec<Cell> {
        let is_named = |name: &Name| {
            list(component, "of").iter().any(|id| *id == name.2)
                && version.is_none_or(|one| one["from"] == name.1)
        };
        let lines = self.lines.iter().filter(|(name, _)| is_named(name));
        lines.filter_map(|(_, cells)| cells.get(&at).cloned()).collect()
    }

    fn percent(&mut self, version: &Value, component: &Value, at: i64) {
        let named = self.named(component, Some(version), at);
        if named.is_empty() {
            return;
        }
        let part = Ratio::new(decimal(&component["percent"], 8), 10_000_000_000);
        let known: Vec<Ratio> = named.iter().filter_map(|cell| cell.base).collect();
        let sum = known.iter().fold(Ratio::whole(0), |sum, base| sum + *base);
        let flags = named.iter().flat_map(|cell| cell.flags.clone()).collect();
        let base = (!known.is_empty()).then(|| sum * part);
        self.put(self.name(version, component, ""), at, Cell { base, flags, ..Cell::default() });
    }

    fn minimum(&mut self, version: &Value, component: &Value, at: i64) {
        let (from, to) = self.period(component["per"].as_str().unwrap(), self.time.day(at));
        let (start, end) = (self.time.start(from).max(self.from), self.time.start(to).min(self.end));
        if at + 1 != end {
            return;
        }
        let (mut sum, mut flags) = (Ratio::whole(0), BTreeSet::new());
        for cell in (start..end).flat_map(|at| self.named(component, None, at)) {
            sum = sum + cell.base.unwrap_or(Ratio::whole(0));
            flags.extend(cell.flags);
        }
        let unsure = ["no_energy", "no_price", "provisional"].iter().any(|flag| flags.contains(flag));
        flags.retain(|flag| flag.starts_with("estimated"));
        flags.extend(unsure.then_some("provisional"));
        let due = decimal(&component["amount"], 9) * 1_000_000 * i128::from(self.days_held(from, to));
        let base = Ratio::new(due, i128::from(to - from)) - sum;
        if base > Ratio::whole(0) {
            self.put(
                self.name(version, component, ""),
                at,
                Cell { base: Some(base), flags, ..Cell::default() },
            );
        }
    }

    /// C2: the running sum of the local month, before and after.
    fn round(&mut self) {
        let tariff = self.tariff;
        for (name, cells) in &mut self.lines {
            let versions = list(tariff, "versions").iter().filter(|version| version["from"] == name.1);
            let version = versions.max_by_key(|one| one["recorded"].as_str().unwrap_or("")).unwrap();
            let component = list(version, "components").iter().find(|one| one["id"] == name.2).unwrap();
            let rate = [&component["vat"], &version["vat"]].into_iter().find(|vat| !vat.is_null());
            let v = rate.map_or(0, |vat| decimal(vat, 4));
            let gross = tariff["vat_included"] == true;
            let shown = |s: Ratio| {
                let (num, den) = if gross { (v, 1_000_000 + v) } else { (v, 1_000_000) };
                let all = if gross { s } else { s * Ratio::new(1_000_000 + v, 1_000_000) };
                let micro = Ratio::new(1, 1_000_000_000);
                ((all * micro).round(), (s * Ratio::new(num, den) * micro).round())
            };
            let (mut month, mut sum) = (i64::MIN, Ratio::whole(0));
            for (at, cell) in cells {
                let own = self.time.month(self.time.day(*at)).0;
                if own != month {
                    (month, sum) = (own, Ratio::whole(0));
                }
                let Some(base) = cell.base else { continue };
                let (before, after) = (shown(sum), shown(sum + base));
                sum = sum + base;
                cell.amount = Some(after.0 - before.0);
                cell.vat = Some(after.1 - before.1);
            }
        }
    }
}

/// What the way from 0 to the counter costs.
fn area(counter: i128, edges: &[i128], prices: &[i128], surplus: Option<i128>) -> i128 {
    if counter < 0 {
        return surplus.map_or(prices[0], |surplus| surplus) * counter;
    }
    let (mut below, mut sum) = (0, 0);
    for (place, price) in prices.iter().enumerate() {
        let to = edges.get(place).map_or(counter, |edge| counter.min(*edge));
        sum += price * (to - below).max(0);
        below = below.max(to);
    }
    sum
}
