//! query-api asked: the same question of one meter after the other, by so many at once, for a while.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wattline_reading::Timestamp;
use wattline_service::postgres::read_column;

use crate::conditions::Conditions;
use crate::costs;
use crate::latency::microseconds;
use crate::processes::{Machine, Usage, Watcher, number};
use crate::report::{Latency, date};
use crate::target::Target;

/// How it is asked.
#[derive(Clone, Copy, Debug)]
pub struct AskOptions {
    /// For how long.
    pub duration: Duration,
    /// How many ask at once.
    pub at_once: u32,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// When it began.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// How durable its servers were.
    pub conditions: Conditions,
    /// How many asked at once.
    pub at_once: u32,
    /// How many answers, and how fast.
    pub rates: Rates,
    /// From the question to the whole answer.
    pub answer: Option<Latency>,
    /// What was used meanwhile.
    pub usage: Usage,
}

/// Answers per second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rates {
    /// Answers without an error.
    pub count: u64,
    /// Until the last one.
    pub stored_s: f64,
}

/// A page of a home: what it measures, its last readings, its energy of a day in hours.
const QUERY: &str = "query ($id: ID!, $from: DateTime!, $to: DateTime!) { meter(id: $id) { id \
     readings(from: $from, to: $to, last: 100) { nodes { ts powerW energyImportWh energyExportWh } } \
     energy(from: $from, to: $to, interval: HOUR, timeZone: \"Europe/Berlin\") { buckets { start import { energyWh } \
     export { energyWh } powerAvgW } } } }";
const DAY: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Asks for the meters that were registered last.
///
/// # Errors
/// Where the stack has no query-api or no meter with readings, or an answer has an error or no readings.
pub async fn run(target: &Target, options: AskOptions, now: Timestamp) -> anyhow::Result<Asked> {
    let url = target.graphql.clone().context("the stack's file names no query-api")?;
    let client = target.connect().await?;
    let conditions = Conditions::read(&client, target).await?;
    let rows = client.query(include_str!("sql/meters.sql"), &[]).await?;
    let meters = rows.iter().map(|row| read_column(row, "meter_id"));
    let meters = meters.collect::<Result<Vec<String>, _>>().context("reading the ids of meters")?;
    ensure!(!meters.is_empty(), "no meter of this stack has readings: run a scenario first");

    let watcher = Watcher::start(&target.processes, &[]);
    let begin = Instant::now();
    let mut askers = JoinSet::new();
    for asker in 0..options.at_once.max(1) {
        let (url, meters) = (url.clone(), meters.clone());
        let step = usize::try_from(options.at_once.max(1)).unwrap_or(1);
        let first = usize::try_from(asker).unwrap_or(0);
        askers.spawn(async move {
            let http = reqwest::Client::new();
            let mut answer_us = microseconds();
            for meter in meters.iter().cycle().skip(first).step_by(step) {
                if begin.elapsed() >= options.duration {
                    break;
                }
                let asked = Instant::now();
                ask(&http, &url, meter, now).await.with_context(|| format!("asking {url} for {meter}"))?;
                answer_us.saturating_record(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            anyhow::Ok(answer_us)
        });
    }
    let mut answer_us: Histogram<u64> = microseconds();
    while let Some(asker) = askers.join_next().await {
        answer_us.add(asker.context("a task that asks")??)?;
    }
    let stored_s = begin.elapsed().as_secs_f64();
    let usage = watcher.finish().await?;
    Ok(Asked {
        date: date(now),
        machine: Machine::this()?,
        conditions,
        at_once: options.at_once,
        rates: Rates { count: answer_us.len(), stored_s },
        answer: Latency::of(&answer_us),
        usage,
    })
}

async fn ask(http: &reqwest::Client, url: &str, meter: &str, now: Timestamp) -> anyhow::Result<()> {
    let to = now.to_chrono() + chrono::TimeDelta::hours(1);
    let variables = json!({ "id": meter, "from": (to - DAY).to_rfc3339(), "to": to.to_rfc3339() });
    let question = json!({ "query": QUERY, "variables": variables });
    let response = http.post(url).json(&question).send().await?.error_for_status()?;
    check(&response.json::<Value>().await?)
}

/// An answer counts only where it has what was asked for.
fn check(answer: &Value) -> anyhow::Result<()> {
    ensure!(answer.get("errors").is_none(), "it answers {}", answer["errors"]);
    let nodes = answer.pointer("/data/meter/readings/nodes").and_then(Value::as_array);
    ensure!(nodes.is_some_and(|nodes| !nodes.is_empty()), "it knows no readings of the last day");
    Ok(())
}

// === impl Asked ===

impl Asked {
    /// The report for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).map(|()| out).unwrap_or_default()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Rates { count, stored_s } = self.rates;
        writeln!(out, "# query-api asked by {} at once\n", self.at_once)?;
        writeln!(out, "{}; {}; servers, services and this program on one machine.", self.date, self.machine)?;
        writeln!(out, "{}\n", self.conditions)?;
        writeln!(
            out,
            "{:.0} answers per second ({count} in {stored_s:.1} s): a meter's last 100 readings and its day's energy in hours.\n",
            number(count) / stored_s.max(0.001)
        )?;
        if let Some(answer) = self.answer {
            writeln!(out, "| | p50 | p99 | max |\n| --- | ---: | ---: | ---: |")?;
            let Latency { p50_ms, p99_ms, max_ms, .. } = answer;
            writeln!(out, "| question to answer | {p50_ms:.1} ms | {p99_ms:.1} ms | {max_ms:.1} ms |\n")?;
        }
        costs::write(out, &self.usage, Some(("answer", count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_an_error_or_without_readings_is_none() {
        let answer = |nodes: Value| json!({ "data": { "meter": { "readings": { "nodes": nodes } } } });
        check(&answer(json!([{ "powerW": 1.0 }]))).unwrap();
        assert!(check(&answer(json!([]))).is_err());
        assert!(check(&json!({ "data": { "meter": null } })).is_err());
        let refused = json!({ "data": null, "errors": [{ "message": "too complex" }] });
        assert!(check(&refused).unwrap_err().to_string().contains("too complex"));
    }
}
