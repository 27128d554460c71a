//! The figures of a run, for people (Markdown) and for comparison (JSON).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Serialize;
use wattline_reading::Timestamp;

use crate::books::Door;
use crate::conditions::Conditions;
use crate::costs;
use crate::expected::Expected;
use crate::load::After;
use crate::plan::Plan;
use crate::processes::{Machine, Usage, number};
use crate::verify::Verified;

/// All figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of the scenario.
    pub title: String,
    /// When it began.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// How durable its servers were.
    pub conditions: Conditions,
    /// What was sent.
    pub plan: Plan,
    /// What had to come of it.
    pub expected: Expected,
    /// How fast it went.
    pub rates: Rates,
    /// From PUBLISH to PUBACK, where messages were published.
    pub puback: Option<Latency>,
    /// From PUBLISH to the row that a query finds, where that was measured.
    pub visible: Option<Latency>,
    /// What it cost.
    pub usage: Usage,
    /// The equation at the door, of all replicas, since the beginning.
    pub door: Option<Door>,
    /// The equation in the store, since the beginning.
    pub store: After,
    /// What was compared with the plan; all of it was right.
    pub verified: Verified,
}

/// Messages and rows per second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rates {
    /// Messages, or records, that the rates are of.
    pub count: u64,
    /// Average payload.
    pub payload_bytes: f64,
    /// Until the last one was acknowledged by the broker.
    pub in_s: f64,
    /// Until the last one was at the end of the path.
    pub stored_s: f64,
    /// The end of the path: `stored`, or `in Kafka` where only the way there was measured.
    pub end: &'static str,
}

/// A distribution of times, in ms.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half were faster.
    pub p50_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

// === impl Report ===

impl Report {
    /// Writes `<date>-<name>.md` and `.json` into a folder and returns the first one's path.
    ///
    /// # Errors
    /// Where the folder can't be written.
    pub fn save(&self, folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
        save(self, &self.date, &self.markdown(), folder, name)
    }

    /// The report for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).map(|()| out).unwrap_or_default()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let machine = &self.machine;
        writeln!(out, "# {}\n", self.title)?;
        writeln!(out, "{}; {machine}; servers, services and load generator on this one machine.", self.date)?;
        writeln!(out, "{}\n", self.conditions)?;
        let plan = &self.plan;
        writeln!(
            out,
            "{} meters × {} readings, {} messages of {:.0} bytes on average, seed {}.\n",
            plan.meters, plan.readings, self.rates.count, self.rates.payload_bytes, plan.seed
        )?;
        self.write_rates(out)?;
        self.write_costs(out)?;
        self.write_checks(out)
    }

    fn write_rates(&self, out: &mut String) -> std::fmt::Result {
        let per_s = |seconds: f64| number(self.rates.count) / seconds.max(0.001);
        writeln!(out, "| | per second | in |\n| --- | ---: | ---: |")?;
        writeln!(out, "| taken in | {:.0} | {:.2} s |", per_s(self.rates.in_s), self.rates.in_s)?;
        writeln!(
            out,
            "| {} | {:.0} | {:.2} s |\n",
            self.rates.end,
            per_s(self.rates.stored_s),
            self.rates.stored_s
        )?;
        let latencies =
            [("PUBLISH to PUBACK", self.puback), ("PUBLISH to visible in the table", self.visible)];
        if latencies.iter().any(|(_, latency)| latency.is_some()) {
            writeln!(out, "| | p50 | p99 | max | measured |\n| --- | ---: | ---: | ---: | ---: |")?;
            for (name, latency) in latencies {
                let Some(latency) = latency else { continue };
                writeln!(
                    out,
                    "| {name} | {:.1} ms | {:.1} ms | {:.1} ms | {} |",
                    latency.p50_ms, latency.p99_ms, latency.max_ms, latency.count
                )?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn write_costs(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Where the time goes\n")?;
        costs::write(out, &self.usage, Some(("message", self.rates.count)))?;
        writeln!(out, "{}\n", costs::limit(&self.usage))
    }

    fn write_checks(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Every message accounted for\n")?;
        if let Some(door) = &self.door {
            writeln!(out, "- At the door, in messages: {door}.")?;
        }
        writeln!(out, "- In the store, in records: {}.", self.store.readings)?;
        let verified = &self.verified;
        writeln!(
            out,
            "- Read back and compared with what was sent: {} readings, each stored once with its values; {} conflicts with \
             both sides; {} dead letters with payload and reason.",
            verified.readings, verified.conflicts, verified.dead_letters
        )
    }
}

// === impl Latency ===

impl Latency {
    /// From a histogram of µs; `None` where nothing was measured.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let ms = |us: u64| number(us) / 1000.0;
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            p50_ms: ms(histogram.value_at_quantile(0.5)),
            p99_ms: ms(histogram.value_at_quantile(0.99)),
            max_ms: ms(histogram.max()),
        })
    }
}

/// Writes a report for people and as JSON; `date` is that of [`date`].
///
/// # Errors
/// Where the folder can't be written.
pub fn save(
    report: &impl Serialize,
    date: &str,
    markdown: &str,
    folder: &Path,
    name: &str,
) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let day = date.get(..10).unwrap_or(date);
    let path = folder.join(format!("{day}-{name}.md"));
    fs::write(&path, markdown).with_context(|| format!("writing {}", path.display()))?;
    let json = serde_json::to_string_pretty(report).context("writing the report as JSON")?;
    let json_path = path.with_extension("json");
    fs::write(&json_path, json + "\n").with_context(|| format!("writing {}", json_path.display()))?;
    Ok(path)
}

/// An instant for the head of a report.
#[must_use]
pub fn date(now: Timestamp) -> String {
    let text = now.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}
