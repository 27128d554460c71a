//! Dashboards as they are shipped: classic JSON, read as it is.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The plugin of SQL panels.
pub const POSTGRES: &str = "grafana-postgresql-datasource";
/// The plugin of PromQL panels.
pub const PROMETHEUS: &str = "prometheus";

/// One dashboard.
#[derive(Clone, Debug)]
pub struct Board {
    /// Its file's name.
    pub file: String,
    /// What is in it.
    pub json: Value,
}

/// One query of a panel.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The panel.
    pub panel: &'a Value,
    /// The query.
    pub json: &'a Value,
}

/// All dashboards, by file name.
///
/// # Errors
/// Where a file can't be read or is no JSON.
pub fn load() -> Result<Vec<Board>> {
    let folder = crate::root().join("dashboards");
    let mut boards = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path)?;
            let json = serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            boards.push(Board { file, json });
        }
    }
    ensure!(!boards.is_empty(), "no dashboards in {}", folder.display());
    boards.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(boards)
}

/// A text of an object, empty where it is not there.
#[must_use]
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

// === impl Board ===

impl Board {
    /// Its fixed name in addresses.
    #[must_use]
    pub fn uid(&self) -> &str {
        text(&self.json, "uid")
    }

    /// Panels, rows included, in the order of the file.
    #[must_use]
    pub fn panels(&self) -> &[Value] {
        list(&self.json["panels"])
    }

    /// Variables.
    #[must_use]
    pub fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }

    /// Links of the dashboard and of its panels.
    pub fn links(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["links"]).iter().chain(self.panels().iter().flat_map(|panel| list(&panel["links"])))
    }

    /// Queries of all panels.
    pub fn targets(&self) -> impl Iterator<Item = Target<'_>> {
        self.panels()
            .iter()
            .flat_map(|panel| list(&panel["targets"]).iter().map(move |json| Target { panel, json }))
    }
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Which board, panel and query, for messages.
    #[must_use]
    pub fn name(&self, board: &Board) -> String {
        format!("{} › {} › {}", board.file, text(self.panel, "title"), text(self.json, "refId"))
    }

    /// Its SQL, where it is a query of the database.
    #[must_use]
    pub fn sql(&self) -> Option<&'a str> {
        (self.json["datasource"]["type"] == POSTGRES).then(|| text(self.json, "rawSql"))
    }

    /// Its PromQL, where it is a query of Prometheus.
    #[must_use]
    pub fn promql(&self) -> Option<&'a str> {
        (self.json["datasource"]["type"] == PROMETHEUS).then(|| text(self.json, "expr"))
    }

    /// Whether Grafana reads the result as a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.json["format"] == "table"
    }
}
