//! A home with one meter and one agreement, as a question in JSON that reads like a story.

use chrono::{NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use crate::ask::{answer, micro, refusals, total};

/// The question. Without more words: a day in June in Berlin, nothing used, no component.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) input: Value,
    zone: Tz,
}

impl Home {
    pub(crate) fn new() -> Self {
        let input = json!({
            "meters": [{"id": "grid", "role": "grid", "runs": []}],
            "tariffs": [{"id": "t", "kind": "supply", "currency": "EUR", "versions": [
                {"from": "2020-01-01", "vat": "0", "components": []}]}],
            "agreements": [{"id": "a", "tariff": "t", "from": "2020-01-01"}],
        });
        Self { input, zone: Tz::UTC }.zone("Europe/Berlin").dates("2026-06-10", "2026-06-11")
    }

    /// Before `dates`: where the home is.
    pub(crate) fn zone(mut self, zone: &str) -> Self {
        self.zone = zone.parse().unwrap();
        self.with("zone", json!(zone))
    }

    /// From the first instant of a date to that of another.
    pub(crate) fn dates(self, from: &str, to: &str) -> Self {
        let range = json!([midnight(self.zone, from), midnight(self.zone, to)]);
        self.with("range", range)
    }

    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.input[key] = value;
        self
    }

    /// A key of the tariff.
    pub(crate) fn tariff(mut self, key: &str, value: Value) -> Self {
        self.input["tariffs"][0][key] = value;
        self
    }

    /// A key of the agreement.
    pub(crate) fn agreement(mut self, key: &str, value: Value) -> Self {
        self.input["agreements"][0][key] = value;
        self
    }

    /// A key of the newest version.
    pub(crate) fn version_key(mut self, key: &str, value: Value) -> Self {
        self.versions().last_mut().unwrap()[key] = value;
        self
    }

    /// A further version without components.
    pub(crate) fn version(mut self, from: &str) -> Self {
        self.versions().push(json!({"from": from, "vat": "0", "components": []}));
        self
    }

    /// A component of the newest version.
    pub(crate) fn component(mut self, component: Value) -> Self {
        let version = self.versions().last_mut().unwrap();
        version["components"].as_array_mut().unwrap().push(component);
        self
    }

    /// Energy at a price, with whatever else is given.
    pub(crate) fn energy(self, more: Value) -> Self {
        let mut component = json!({"id": "energy", "kind": "energy"});
        component.as_object_mut().unwrap().extend(as_object(more));
        self.component(component)
    }

    fn versions(&mut self) -> &mut Vec<Value> {
        self.input["tariffs"][0]["versions"].as_array_mut().unwrap()
    }

    /// mWh a quarter-hour over the range, again and again; null is unknown.
    pub(crate) fn import(self, mwh: Value) -> Self {
        let range = self.input["range"].clone();
        self.run(&range[0], &range[1], json!({"import_mwh": mwh}))
    }

    pub(crate) fn export(self, mwh: Value) -> Self {
        let range = self.input["range"].clone();
        self.run(&range[0], &range[1], json!({"export_mwh": mwh}))
    }

    /// The last run goes over the range, whatever it was before.
    pub(crate) fn with_run(mut self) -> Self {
        let range = self.input["range"].clone();
        let run = self.input["meters"][0]["runs"].as_array_mut().unwrap().last_mut().unwrap();
        (run["from"], run["to"]) = (range[0].clone(), range[1].clone());
        self
    }

    /// From the first instant of a date to that of another.
    pub(crate) fn import_on(self, from: &str, to: &str, mwh: Value) -> Self {
        let (from, to) = (json!(midnight(self.zone, from)), json!(midnight(self.zone, to)));
        self.run(&from, &to, json!({"import_mwh": mwh}))
    }

    pub(crate) fn run(mut self, from: &Value, to: &Value, more: Value) -> Self {
        let mut run = json!({"from": from, "to": to});
        run.as_object_mut().unwrap().extend(as_object(more));
        self.input["meters"][0]["runs"].as_array_mut().unwrap().push(run);
        self
    }

    /// Prices per kWh of the series `spot`, from the begin of the range on.
    pub(crate) fn prices(self, minutes: u32, values: Value) -> Self {
        self.publication(json!({"minutes": minutes, "values": values}))
    }

    /// A publication of the series `spot`, from the begin of the range on.
    pub(crate) fn publication(mut self, more: Value) -> Self {
        let mut prices = json!({"series": "spot", "currency": "EUR", "published": "2026-01-01T12:00:00Z",
            "start": self.input["range"][0]});
        prices.as_object_mut().unwrap().extend(as_object(more));
        if self.input["prices"].is_null() {
            self.input["prices"] = json!([]);
        }
        self.input["prices"].as_array_mut().unwrap().push(prices);
        self
    }

    pub(crate) fn answer(&self) -> Value {
        answer(&self.input)
    }

    /// What all of it costs.
    pub(crate) fn total(&self) -> String {
        total(&self.answer()).to_owned()
    }

    /// What it costs in each bucket, in the only currency; without an agreement nothing.
    pub(crate) fn amounts(&self) -> Vec<String> {
        let answer = self.answer();
        let buckets = answer["buckets"].as_array().unwrap();
        let amount = |bucket: &Value| match &bucket["amounts"][0]["amount"] {
            Value::String(text) => text.clone(),
            _ => "unknown".to_owned(),
        };
        buckets.iter().map(amount).collect()
    }

    /// Lines of all as `component band: amount`, without a band where there is none.
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.answer()["total"])
    }

    /// The only word that it is refused with.
    pub(crate) fn refused(&self) -> String {
        let refusals = refusals(&self.input.to_string());
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        refusals[0].0.clone()
    }
}

/// Lines of a bucket as `component band: amount`.
pub(crate) fn lines(bucket: &Value) -> Vec<String> {
    let line = |line: &Value| {
        let name = line["component"].as_str().unwrap();
        let name = line["band"].as_str().map_or_else(|| name.to_owned(), |band| format!("{name} {band}"));
        if !line["amount"].is_null() {
            micro(&line["amount"]);
        }
        format!("{name}: {}", line["amount"].as_str().unwrap_or("unknown"))
    };
    bucket["lines"].as_array().unwrap().iter().map(line).collect()
}

/// The flags of a bucket, a line or anything else that has some.
pub(crate) fn flags(value: &Value) -> Vec<&str> {
    value["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

/// The first instant of a date.
pub(crate) fn midnight(zone: Tz, date: &str) -> String {
    let date: NaiveDate = date.parse().unwrap();
    let noon_before = date.pred_opt().unwrap().and_hms_opt(0, 0, 0).unwrap();
    let mut time = Utc.from_utc_datetime(&noon_before);
    while time.with_timezone(&zone).date_naive() < date {
        time += chrono::TimeDelta::minutes(15);
    }
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn as_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}
