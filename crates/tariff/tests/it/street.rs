//! Homes with tariffs of any kind, from a seed.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::home::midnight;

/// The same dice from the same seed.
pub(crate) struct Dice(u64);

const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kolkata",
    "Pacific/Chatham",
    "Europe/London",
];

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// Once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        let place = usize::try_from(self.below(all.len() as u64)).unwrap();
        all[place].clone()
    }

    /// A price with up to nine decimals, sometimes below zero.
    fn price(&mut self) -> String {
        let sign = if self.once_in(6) { "-" } else { "" };
        let digits = self.of(&[1_u32, 2, 4, 9]);
        format!("{sign}0.{:0width$}", self.below(10_u64.pow(digits)), width = digits as usize)
    }
}

/// Where a story plays.
struct Story {
    dice: Dice,
    zone: String,
    first: NaiveDate,
    days: u64,
}

impl Story {
    fn date(&self, day: u64) -> String {
        (self.first + Days::new(day)).to_string()
    }

    fn start(&self, day: u64) -> Value {
        json!(midnight(self.zone.parse().unwrap(), &self.date(day)))
    }

    fn any_day(&mut self) -> String {
        let day = self.dice.below(self.days);
        self.date(day)
    }
}

/// A question about some days or weeks, around a change of the clock or a turn of the year.
pub(crate) fn question(seed: u64) -> Value {
    let mut dice = Dice::new(seed);
    let first =
        dice.of(&["2026-03-20", "2026-10-18", "2026-06-25", "2025-12-22", "2026-03-30"]).parse().unwrap();
    let (zone, days) = (dice.of(&ZONES).to_owned(), 4 + dice.below(20));
    let mut story = Story { dice, zone, first, days };
    let from = story.dice.below(days - 1);
    let tariffs: Vec<Value> = (0..1 + story.dice.below(2)).map(|place| tariff(&mut story, place)).collect();
    let agreements: Vec<Value> =
        (0..tariffs.len() as u64).map(|place| agreement(&mut story, place)).collect();
    json!({
        "zone": story.zone,
        "range": [story.start(from), story.start(days)],
        "resolution": "15m",
        "meters": (0..1 + story.dice.below(2)).map(|place| meter(&mut story, place)).collect::<Vec<_>>(),
        "calendars": [calendar(&mut story)],
        "prices": (0..3).map(|place| publication(&mut story, place)).collect::<Vec<_>>(),
        "tariffs": tariffs,
        "agreements": agreements,
    })
}

fn meter(story: &mut Story, place: u64) -> Value {
    let mut list = |most: u64| -> Vec<Value> {
        let value = |dice: &mut Dice| match dice.below(12) {
            0 => Value::Null,
            1..4 => json!(0),
            _ => json!(dice.below(most)),
        };
        let sure = story.dice.once_in(2);
        let length = 1 + story.dice.below(150);
        let values = (0..length).map(|_| value(&mut story.dice));
        values.map(|value| if sure && value.is_null() { json!(7) } else { value }).collect()
    };
    let (import_mwh, export_mwh) = (list(700_000), list(400_000));
    let (half, estimated) = (story.days / 2, list(100_000));
    let runs = json!([
        {"from": story.start(0), "to": story.start(story.days), "import_mwh": import_mwh, "export_mwh": export_mwh},
        {"from": story.start(half), "to": story.start(half + 1), "import_mwh": estimated, "quality": ["gap"]},
    ]);
    json!({"id": format!("m{place}"), "role": "grid", "runs": runs})
}

fn calendar(story: &mut Story) -> Value {
    let end = if story.dice.once_in(4) { story.days - 1 } else { story.days + 2 };
    let from = (story.first - Days::new(2)).to_string();
    let mut days = serde_json::Map::new();
    for _ in 0..4 {
        days.insert(story.any_day(), story.dice.of(&[json!("red"), json!("white")]));
    }
    json!({"id": "c", "from": from, "to": story.date(end), "days": days})
}

fn publication(story: &mut Story, place: u64) -> Value {
    let minutes = story.dice.of(&[15, 30, 60]);
    let count = story.days * 96 * 15 / minutes;
    let rare = story.dice.of(&[3, 40, 1_000_000]);
    let values: Vec<Value> = (0..count)
        .map(|_| if story.dice.once_in(rare) { Value::Null } else { json!(story.dice.price()) })
        .collect();
    let kind = story.dice.of(&["final", "final", "estimate"]);
    json!({"series": "s", "currency": "EUR", "published": format!("2026-01-0{}T12:00:00Z", 1 + story.dice.below(3)),
        "revision": place + 1, "kind": kind, "start": story.start(0), "minutes": minutes, "values": values})
}

fn agreement(story: &mut Story, place: u64) -> Value {
    let from = story.dice.of(&[0, 0, 1, 2]);
    let from = story.date(from);
    let mut agreement = json!({"id": format!("a{place}"), "tariff": format!("t{place}"), "from": from});
    if story.dice.once_in(4) {
        agreement["to"] = json!(story.date(story.days - 1));
    }
    if story.dice.once_in(4) {
        agreement["zone"] = json!(story.dice.of(&ZONES));
    }
    if story.dice.once_in(2) {
        let day = story.any_day();
        agreement["billing"] = json!({"from": day, "months": story.dice.of(&[1, 2, 3, 12])});
    }
    agreement
}

fn tariff(story: &mut Story, place: u64) -> Value {
    let kind = ["supply", "grid"][usize::try_from(place).unwrap()];
    let mut versions = vec![version(story, "2020-01-01")];
    if story.dice.once_in(2) {
        let from = story.any_day();
        versions.push(version(story, &from));
    }
    json!({"id": format!("t{place}"), "kind": kind, "currency": "EUR", "vat_included": story.dice.once_in(3), "versions": versions})
}

fn version(story: &mut Story, from: &str) -> Value {
    let mut components = vec![energy(story, "e0")];
    if story.dice.once_in(2) {
        components.push(energy(story, "e1"));
    }
    if story.dice.once_in(2) {
        let per = story.dice.of(&["day", "month", "year"]);
        components.push(
            json!({"id": "fee", "kind": "standing", "price": story.dice.price(), "per": per, "times": "3.5"}),
        );
    }
    if story.dice.once_in(3) {
        let date = story.any_day();
        components.push(json!({"id": "bonus", "kind": "once", "date": date, "amount": story.dice.price()}));
    }
    if story.dice.once_in(2) {
        components.push(capacity(story));
    }
    if story.dice.once_in(2) {
        let of = json!([components[0]["id"], components[components.len() - 1]["id"]]);
        let of = if of[0] == of[1] { json!(["e0"]) } else { of };
        components.push(json!({"id": "part", "kind": "percent", "percent": "12.3456", "of": of, "vat": "7"}));
    }
    if story.dice.once_in(2) {
        let per = story.dice.of(&["day", "month", "billing"]);
        components.push(json!({"id": "least", "kind": "minimum", "amount": "3", "per": per, "of": ["e0"]}));
        components.push(json!({"id": "more", "kind": "percent", "percent": "-5", "of": ["least"]}));
    }
    json!({"from": from, "vat": story.dice.of(&["0", "19", "5.5", "25.1234"]), "components": components})
}

fn energy(story: &mut Story, id: &str) -> Value {
    let measure = story.dice.of(&["import", "import", "export", "net"]);
    let per = story.dice.of(&["day", "month", "year", "billing"]);
    let mut component = json!({"id": id, "kind": "energy", "measure": measure, "per": per});
    component["prorate"] = json!(story.dice.once_in(2));
    if story.dice.once_in(5) {
        component["zone"] = json!(story.dice.of(&ZONES));
    }
    let rate = |story: &mut Story| {
        let mut rate = match (measure, story.dice.below(3)) {
            (_, 0) => json!({"price": story.dice.price()}),
            ("net", 1) => json!({"price": story.dice.price()}),
            (_, 1) => json!({"spot": spot(story)}),
            _ => json!({"tiers": tiers(story, measure == "net")}),
        };
        if measure == "net" {
            rate["surplus"] = json!(story.dice.price());
        }
        rate
    };
    if story.dice.once_in(2) {
        component.as_object_mut().unwrap().extend(rate(story).as_object().unwrap().clone());
        return component;
    }
    component["calendar"] = json!("c");
    component["day_starts_at"] = json!(story.dice.of(&["00:00", "06:00"]));
    let bands: Vec<Value> = (0..3)
        .map(|place| {
            let mut band = rate(story);
            band["id"] = json!(format!("b{place}"));
            if place < 2 {
                band["when"] = when(story);
            }
            band
        })
        .collect();
    component["bands"] = json!(bands);
    component
}

fn spot(story: &mut Story) -> Value {
    let mut spot = json!({"series": "s", "average": story.dice.of(&["PT15M", "PT1H", "P1D", "P1M"])});
    let mut maybe = |key: &str, value: &str| {
        if story.dice.once_in(3) {
            spot[key] = json!(value);
        }
    };
    maybe("factor", "-0.9");
    maybe("add", "0.012345678");
    maybe("above", "0.1");
    maybe("min", "0.01");
    maybe("max", "0.5");
    maybe("revision", "first");
    spot
}

fn tiers(story: &mut Story, fixed: bool) -> Value {
    let key = story.dice.of(&["up_to_kwh", "up_to_kwh_per_day"]);
    let edge = 1 + story.dice.below(9);
    let last = if fixed || story.dice.once_in(2) {
        json!({"price": story.dice.price()})
    } else {
        json!({"spot": spot(story)})
    };
    json!([{key: format!("{edge}.123"), "price": story.dice.price()}, {key: format!("{}.7654321", edge + 3), "price": story.dice.price()}, last])
}

fn when(story: &mut Story) -> Value {
    let hours =
        json!(story.dice.of(&[vec!["22:00-06:15"], vec!["07:30-09:00", "17:00-19:00"], vec!["01:00-04:00"]]));
    match story.dice.below(5) {
        0 => json!({"hours": hours}),
        1 => json!({"days": [story.dice.of(&["mon-fri", "sat", "fri-mon"])], "hours": hours}),
        2 => json!({"kinds": ["red"]}),
        3 => json!({"not_kinds": ["white"], "hours": hours}),
        _ => json!({"dates": [story.dice.of(&["12-25/01-05", "03-28/04-02", "10-20/10-26"])]}),
    }
}

fn capacity(story: &mut Story) -> Value {
    let mut component = json!({"id": "power", "kind": "capacity", "window": story.dice.of(&["PT15M", "PT30M", "PT1H"]),
        "highest": 1 + story.dice.below(4), "distinct_days": story.dice.once_in(2), "average_months": 1 + story.dice.below(3)});
    if story.dice.once_in(2) {
        component["price_per_kw"] = json!(story.dice.price());
        component["min_kw"] = json!("1.5");
    } else {
        component["steps"] = json!([{"from_kw": "0", "price": "5"}, {"from_kw": "1.5", "price": "10.5"}, {"from_kw": "2.6", "price": "20"}]);
        component["edge"] = json!(story.dice.of(&["upper", "lower"]));
    }
    if story.dice.once_in(3) {
        component["when"] = when(story);
        component["calendar"] = json!("c");
    }
    if story.dice.once_in(3) {
        component["weights"] = json!([{"when": {"hours": ["22:00-06:00"]}, "factor": "0.5"}, {"when": {"days": ["sat"]}, "factor": "0.7"}]);
    }
    if story.dice.once_in(3) {
        component["max_per_kwh"] = json!("0.01");
    }
    component["per"] = json!(story.dice.of(&["month", "year"]));
    component
}
