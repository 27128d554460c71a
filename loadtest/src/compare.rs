//! Two builds side by side: medians over the rounds of each report, and their ratios.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::processes::{OWN, OWN_ANSWERS};

/// The figures of a folder's reports: a value for each round, by report and figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<(String, Figure), Vec<f64>>);

/// What a report says, in the order in which it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    /// Messages, or answers, per second until the last was there.
    PerSecond,
    /// PUBLISH to PUBACK, the median, in ms.
    Puback,
    /// PUBLISH to visible, the median, in ms.
    Visible,
    /// PUBLISH to visible, 99 of 100, in ms.
    VisibleLate,
    /// Question to answer, the median, in ms.
    Answer,
    /// CPU time of all processes but the load generator, in µs a message.
    AllCpu,
    /// CPU time of a process, in µs a message.
    Cpu(String),
    /// Share of a core that an idle process uses, in percent.
    Share(String),
    /// Of a decoder, in ns a message.
    Decode(String),
}

// === impl Figures ===

impl Figures {
    /// All reports of a folder, and tables of the decode benchmark.
    ///
    /// # Errors
    /// Where the folder can't be read or has no report.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut figures = Self::default();
        for entry in
            fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?
        {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let read = || fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()));
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {
                    let report = serde_json::from_str(&read()?)
                        .with_context(|| format!("{} is no report", path.display()))?;
                    figures.add_report(stage(&name), &report);
                }
                Some("md") if stage(&name) == "decode" => figures.add_decode(&read()?),
                _ => {}
            }
        }
        ensure!(!figures.0.is_empty(), "{} holds no report", folder.display());
        Ok(figures)
    }

    fn add(&mut self, stage: &str, figure: Figure, value: f64) {
        self.0.entry((stage.to_owned(), figure)).or_default().push(value);
    }

    fn add_report(&mut self, stage: &str, report: &Value) {
        let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
        let count = number("/rates/count");
        for (figure, value) in [
            (Figure::PerSecond, count.zip(number("/rates/stored_s")).map(|(count, s)| count / s.max(0.001))),
            (Figure::Puback, number("/puback/p50_ms")),
            (Figure::Visible, number("/visible/p50_ms")),
            (Figure::VisibleLate, number("/visible/p99_ms")),
            (Figure::Answer, number("/answer/p50_ms")),
        ] {
            if let Some(value) = value {
                self.add(stage, figure, value);
            }
        }
        let elapsed_s = number("/usage/elapsed_s").unwrap_or(0.0).max(0.001);
        let mut all_us = 0.0;
        for process in report.pointer("/usage/processes").and_then(Value::as_array).into_iter().flatten() {
            let (Some(name), Some(cpu_s)) = (process["name"].as_str(), process["cpu_s"].as_f64()) else {
                continue;
            };
            match count {
                // What measures is no part of what is measured.
                Some(_) if [OWN, OWN_ANSWERS].contains(&name) => {}
                Some(count) => {
                    let us = cpu_s * 1e6 / count.max(1.0);
                    all_us += us;
                    self.add(stage, Figure::Cpu(name.to_owned()), us);
                }
                None => self.add(stage, Figure::Share(name.to_owned()), 100.0 * cpu_s / elapsed_s),
            }
        }
        if count.is_some() {
            self.add(stage, Figure::AllCpu, all_us);
        }
    }

    /// Rows as the decode benchmark prints them: decoder, messages, bytes, readings, ns, allocations.
    fn add_decode(&mut self, table: &str) {
        for line in table.lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, decoder, _, _, _, ns, ..] = cells[..] else { continue };
            let name = decoder.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            if let (Some(name), Ok(ns)) = (name, ns.parse()) {
                self.add("decode", Figure::Decode(name.to_owned()), ns);
            }
        }
    }
}

// === impl Figure ===

impl Figure {
    fn text(&self) -> String {
        match self {
            Self::PerSecond => "per second".to_owned(),
            Self::Puback => "PUBLISH to PUBACK, p50, ms".to_owned(),
            Self::Visible => "PUBLISH to visible, p50, ms".to_owned(),
            Self::VisibleLate => "PUBLISH to visible, p99, ms".to_owned(),
            Self::Answer => "question to answer, p50, ms".to_owned(),
            Self::AllCpu => "all processes, µs".to_owned(),
            Self::Cpu(process) => format!("{process}, µs"),
            Self::Share(process) => format!("{process}, % of a core"),
            Self::Decode(family) => format!("{family}, ns"),
        }
    }
}

/// The comparison as a table; what only one of the folders has is left out.
#[must_use]
pub fn markdown(old: &Figures, new: &Figures) -> String {
    let mut out = String::new();
    write(&mut out, old, new).map(|()| out).unwrap_or_default()
}

fn write(out: &mut String, old: &Figures, new: &Figures) -> std::fmt::Result {
    writeln!(
        out,
        "| report | figure | rounds | old | new | new ÷ old |\n| --- | --- | ---: | ---: | ---: | ---: |"
    )?;
    for ((stage, figure), old) in &old.0 {
        let Some(new) = new.0.get(&(stage.clone(), figure.clone())) else { continue };
        let (rounds, old, new) = (old.len().min(new.len()), median(old), median(new));
        let ratio = if old > 0.0 { format!("{:.2}", new / old) } else { "–".to_owned() };
        writeln!(
            out,
            "| {stage} | {} | {rounds} | {} | {} | {ratio} |",
            figure.text(),
            short(old),
            short(new)
        )?;
    }
    Ok(())
}

/// `2026-11-21-run-steady-3` is round 3 of `run-steady`: the date before it and the round behind it are left out.
fn stage(name: &str) -> &str {
    let is_date = |date: &str| date.chars().all(|c| c.is_ascii_digit() || c == '-');
    let name = match name.split_at_checked(11) {
        Some((date, rest)) if is_date(date) => rest,
        _ => name,
    };
    match name.rsplit_once('-') {
        // A rate of messages has more digits than a round.
        Some((rest, round)) if round.len() <= 2 && round.chars().all(|c| c.is_ascii_digit()) => rest,
        _ => name,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(middle)) => *middle,
        _ => 0.0,
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rounds_of_one_report_are_one_stage() {
        for (name, expected) in [
            ("2026-11-21-run-steady-3", "run-steady"),
            ("2026-11-21-run-steady", "run-steady"),
            ("2026-11-21-run-fleet-370-12", "run-fleet-370"),
            ("2026-11-21-run-fleet-370", "run-fleet-370"),
            ("decode-1", "decode"),
            ("sink", "sink"),
        ] {
            assert_eq!(stage(name), expected);
        }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5_f64.to_bits());
        assert_eq!(median(&[7.0]).to_bits(), 7.0_f64.to_bits());
        assert_eq!(median(&[]).to_bits(), 0.0_f64.to_bits());
    }

    fn report(cpu_s: f64, stored_s: f64) -> Value {
        json!({
            "rates": { "count": 100_000, "stored_s": stored_s },
            "visible": { "p50_ms": 150.0, "p99_ms": 280.0 }, "puback": null,
            "usage": { "elapsed_s": 10.0, "processes": [
                { "name": "timescale", "cpu_s": cpu_s }, { "name": "wattline-loadtest", "cpu_s": 9.0 }] },
        })
    }

    #[test]
    fn each_figure_is_the_median_of_its_rounds() {
        let (mut old, mut new) = (Figures::default(), Figures::default());
        for (cpu_s, stored_s) in [(4.0, 10.0), (4.4, 12.5), (9.0, 50.0)] {
            old.add_report("run-steady", &report(cpu_s, stored_s));
            new.add_report("run-steady", &report(cpu_s / 2.0, stored_s));
        }
        old.add_report("only-old", &report(1.0, 1.0));
        let table = markdown(&old, &new);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| run-steady | per second | 3 | 8000 | 8000 | 1.00 |",
                "| run-steady | PUBLISH to visible, p50, ms | 3 | 150 | 150 | 1.00 |",
                "| run-steady | PUBLISH to visible, p99, ms | 3 | 280 | 280 | 1.00 |",
                "| run-steady | all processes, µs | 3 | 44.0 | 22.0 | 0.50 |",
                "| run-steady | timescale, µs | 3 | 44.0 | 22.0 | 0.50 |",
            ]
        );
    }

    #[test]
    fn an_idle_process_has_a_share_of_a_core() {
        let mut figures = Figures::default();
        let usage = json!({ "elapsed_s": 30.0, "processes": [{ "name": "mqtt-ingest", "cpu_s": 0.9 }] });
        figures.add_report("idle", &json!({ "usage": usage }));
        assert!(
            markdown(&figures, &figures)
                .contains("| idle | mqtt-ingest, % of a core | 1 | 3.00 | 3.00 | 1.00 |")
        );
    }

    #[test]
    fn the_table_of_the_decode_benchmark_is_read() {
        let mut figures = Figures::default();
        figures.add_decode(
            "| decoder | messages | bytes | readings | ns per message | allocations |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |\n\
             | `tasmota` | 12 | 238 | 1.00 | 2273 | 13.2 |\n",
        );
        let table = markdown(&figures, &figures);
        assert!(table.ends_with("| decode | tasmota, ns | 1 | 2273 | 2273 | 1.00 |\n"), "{table}");
    }
}
