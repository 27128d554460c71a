//! Answers as JSON and as a table.

use std::io::Write;

use anyhow::Context;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use wattline_energy::calendar::Period;
use wattline_energy::meter::show::Shown;
use wattline_energy::quality::Quality;
use wattline_energy::total::Total;

use super::answer::{Answer, Bucket, Elapsed, HomeBucket};
use super::instant::utc;
use crate::print::WRITE;

/// The word of a home whose balance can't be.
const IMBALANCE: &str = "imbalance";

/// Keys and values in the order in which they are read.
#[derive(Default)]
struct Row(Vec<(String, Value)>);

/// A list of buckets; an object of lists where more was asked for than buckets.
pub(super) fn json(answer: &Answer, mut out: impl Write) -> anyhow::Result<()> {
    let buckets = answer.buckets.iter().map(bucket);
    if answer.meters.is_none() && answer.home.is_none() {
        list("", buckets, &mut out)?;
        return writeln!(out).context(WRITE);
    }
    write!(out, "{{").context(WRITE)?;
    list("\"buckets\":", buckets, &mut out)?;
    if let Some(meters) = &answer.meters {
        list(",\n\"meters\":", meters.iter().map(|(meter_id, shown)| meter(meter_id, shown)), &mut out)?;
    }
    if let Some(home) = &answer.home {
        list(",\n\"home\":", home.iter().map(home_bucket), &mut out)?;
    }
    writeln!(out, "}}").context(WRITE)
}

/// The rows of the home where there is one, else those of the meters. Columns are the keys of the first row.
pub(super) fn csv(answer: &Answer, mut out: impl Write) -> anyhow::Result<()> {
    let rows: Vec<Row> = match &answer.home {
        Some(home) => home.iter().map(home_bucket).collect(),
        None => answer.buckets.iter().map(bucket).collect(),
    };
    let mut columns: Vec<&String> = Vec::new();
    for (key, _) in rows.iter().flat_map(|row| &row.0) {
        if !columns.contains(&key) {
            columns.push(key);
        }
    }
    let header: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    writeln!(out, "{}", header.join(",")).context(WRITE)?;
    for row in &rows {
        let cells: Vec<String> = columns.iter().map(|name| cell(row.get(name))).collect();
        writeln!(out, "{}", cells.join(",")).context(WRITE)?;
    }
    Ok(())
}

// === impl Row ===

impl Row {
    fn insert(&mut self, key: impl Into<String>, value: Value) {
        self.0.push((key.into(), value));
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

fn list(key: &str, mut rows: impl Iterator<Item = Row>, out: &mut impl Write) -> anyhow::Result<()> {
    write!(out, "{key}[").context(WRITE)?;
    let mut before = "\n";
    rows.try_for_each(|row| {
        write!(out, "{before}{}", serde_json::to_string(&row)?).context(WRITE)?;
        before = ",\n";
        Ok::<_, anyhow::Error>(())
    })?;
    write!(out, "]").context(WRITE)
}

fn bucket(bucket: &Bucket) -> Row {
    let mut row = Row::default();
    row.insert("meter_id", bucket.meter_id.clone().into());
    time(&mut row, &bucket.period, bucket.elapsed);
    for (name, total) in [("import", &bucket.import), ("export", &bucket.export)] {
        row.insert(format!("energy_{name}_wh"), thousandth(total.mwh));
        let known_us = total.known_ms * 1000;
        let coverage = coverage(known_us, &bucket.period, bucket.elapsed);
        row.insert(format!("coverage_{name}"), coverage);
        if let Some(elapsed) = bucket.elapsed {
            row.insert(format!("known_seconds_{name}"), seconds(known_us.min(elapsed.us)));
        }
        row.insert(format!("quality_{name}"), json!(words(total.quality)));
        row.insert(format!("estimated_{name}"), total.quality.is_estimated().into());
        row.insert(format!("incomplete_{name}"), is_incomplete(total, &bucket.period, bucket.elapsed).into());
    }
    row
}

fn home_bucket(bucket: &HomeBucket) -> Row {
    let balance = &bucket.balance;
    let mut row = Row::default();
    time(&mut row, &bucket.period, bucket.elapsed);
    for (name, mwh) in [
        ("import_wh", balance.import_mwh),
        ("export_wh", balance.export_mwh),
        ("production_wh", balance.production_mwh),
        ("charge_wh", balance.charge_mwh),
        ("discharge_wh", balance.discharge_mwh),
        ("consumption_wh", balance.consumption_mwh),
        ("self_consumed_wh", balance.self_consumed_mwh),
        ("rest_wh", balance.rest_mwh),
    ] {
        row.insert(name, thousandth(mwh));
    }
    for (meter_id, mwh) in &balance.rests_mwh {
        row.insert(format!("rest_wh_{meter_id}"), thousandth(Some(*mwh)));
    }
    row.insert("self_consumption_rate", json!(balance.self_consumption_rate()));
    row.insert("autarky", json!(balance.autarky()));
    let known_us = balance.known_ms * 1000;
    row.insert("coverage", coverage(known_us, &bucket.period, bucket.elapsed));
    if let Some(elapsed) = bucket.elapsed {
        row.insert("known_seconds", seconds(known_us.min(elapsed.us)));
    }
    let mut quality = words(balance.quality);
    quality.extend(balance.imbalance.then_some(IMBALANCE));
    row.insert("quality", json!(quality));
    row
}

fn meter(meter_id: &str, shown: &Shown) -> Row {
    let mut row = Row::default();
    row.insert("meter_id", meter_id.into());
    row.insert("expected_s", seconds(shown.expected_us));
    row.insert("silent", shown.is_silent.into());
    row.insert("derived_power_w", thousandth(shown.derived_mw));
    row
}

fn time(row: &mut Row, period: &Period, elapsed: Option<Elapsed>) {
    row.insert("start", utc(period.start_us).into());
    row.insert("end", utc(period.end_us).into());
    row.insert("seconds", seconds(period.us()));
    if let Some(elapsed) = elapsed {
        row.insert("elapsed_seconds", seconds(elapsed.us));
        row.insert("running", elapsed.running.into());
    }
}

fn words(quality: Quality) -> Vec<&'static str> {
    quality.flags().map(wattline_energy::Flag::as_str).collect()
}

/// Known ÷ elapsed where an instant was asked for, and nothing where nothing has elapsed; else known ÷ the whole.
#[expect(clippy::cast_precision_loss, reason = "µs of some years")]
fn coverage(known_us: i64, period: &Period, elapsed: Option<Elapsed>) -> Value {
    let of_us = elapsed.map_or(period.us(), |elapsed| elapsed.us);
    if of_us <= 0 {
        return Value::Null;
    }
    json!((known_us as f64 / of_us as f64).min(1.0))
}

fn is_incomplete(total: &Total, period: &Period, elapsed: Option<Elapsed>) -> bool {
    total.is_incomplete(elapsed.map_or(period.us(), |elapsed| elapsed.us) / 1000)
}

/// Whole numbers without a fraction: `12`, not `12.0`.
fn thousandth(value: Option<i64>) -> Value {
    value.map_or(Value::Null, |value| scaled(value, 1_000))
}

fn seconds(us: i64) -> Value {
    scaled(us, 1_000_000)
}

#[expect(clippy::cast_precision_loss, reason = "registers are below 2^53 mWh")]
fn scaled(value: i64, by: i64) -> Value {
    if value % by == 0 { json!(value / by) } else { json!(value as f64 / by as f64) }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => quoted(text),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(value) => value.to_string(),
    }
}

/// Text with a comma, a quote or a line's end stands in quotes.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
