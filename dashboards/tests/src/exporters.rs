//! Metrics that are not ours: of the exporters beside PostgreSQL, Kafka and the broker, and of Kubernetes.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// One exporter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exporter {
    /// Its name.
    pub name: String,
    /// The version whose names these are.
    pub version: String,
    /// Where it listens.
    pub port: u16,
    /// Its project.
    pub source: String,
    /// How it is run.
    pub notes: String,
    /// How it is known that it shows these metrics.
    pub evidence: String,
    /// The tests start it beside the real servers; it needs no examples.
    #[serde(default)]
    pub runs_in_tests: bool,
    /// The metrics that we use.
    pub metrics: Vec<Metric>,
}

/// One of its metrics.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name, as it is queried.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its labels.
    pub labels: String,
    /// What it means.
    pub meaning: String,
    /// Series as it shows them: labels, a value, and how much it grows in a second.
    #[serde(default)]
    pub examples: Vec<(String, f64, f64)>,
}

impl Metric {
    /// Names of its labels.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.split(", ").filter(|label| !label.is_empty())
    }
}

/// What the `/metrics` of the exporters that don't run would show together, so long after a beginning.
#[must_use]
pub fn page(exporters: &[Exporter], after: Duration) -> String {
    let mut text = String::new();
    let absent = exporters.iter().filter(|exporter| !exporter.runs_in_tests);
    for metric in absent.flat_map(|exporter| &exporter.metrics) {
        let _ = writeln!(text, "# TYPE {} {}", metric.name, metric.kind);
        for (labels, value, grows) in &metric.examples {
            let _ = writeln!(text, "{}{{{labels}}} {}", metric.name, value + grows * after.as_secs_f64());
        }
    }
    text
}

#[derive(Deserialize)]
struct File {
    exporters: Vec<Exporter>,
}

/// The list.
///
/// # Errors
/// Where it can't be read.
pub fn load() -> Result<Vec<Exporter>> {
    let path = crate::root().join("dashboards/exporters/exporters.json");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file: File = serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    Ok(file.exporters)
}
