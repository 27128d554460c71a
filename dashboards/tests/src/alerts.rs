//! Alert rules of Prometheus and of Grafana, and the cases that promtool runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// A file of rules: the `spec` of a PrometheusRule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its groups.
    pub groups: Vec<Group>,
}

/// A group of rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name of an alert.
    pub alert: Option<String>,
    /// The name of what is recorded.
    pub record: Option<String>,
    /// The condition.
    pub expr: String,
    /// For how long.
    #[serde(rename = "for")]
    pub lasting: Option<String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// A file of cases for promtool; what it doesn't need of them stays unread.
#[derive(Clone, Debug, Deserialize)]
pub struct CaseFile {
    /// The cases.
    pub tests: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// What it asks of alerts.
    #[serde(default)]
    pub alert_rule_test: Vec<Expectation>,
}

/// Which alerts are expected at a time.
#[derive(Clone, Debug, Deserialize)]
pub struct Expectation {
    /// The alert's name.
    pub alertname: String,
    /// None: it is silent.
    #[serde(default)]
    pub exp_alerts: Vec<Value>,
}

/// A rule of Grafana on SQL.
#[derive(Clone, Debug)]
pub struct SqlRule {
    /// Its title.
    pub title: String,
    /// The page that says what to do.
    pub runbook_url: String,
    /// The data source's uid.
    pub datasource_uid: String,
    /// How far back it looks, in s.
    pub from_s: i64,
    /// The query.
    pub sql: String,
}

/// All files of rules, by path.
///
/// # Errors
/// Where one can't be read.
pub fn rule_files() -> Result<Vec<(PathBuf, RuleFile)>> {
    read("dashboards/alerts")
}

/// All files of cases, by path.
///
/// # Errors
/// Where one can't be read.
pub fn case_files() -> Result<Vec<(PathBuf, CaseFile)>> {
    read("dashboards/tests/alerts")
}

fn read<T: for<'a> Deserialize<'a>>(folder: &str) -> Result<Vec<(PathBuf, T)>> {
    let folder = crate::root().join(folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        files.push((
            path.clone(),
            serde_saphyr::from_str(&text).with_context(|| format!("in {}", path.display()))?,
        ));
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

/// The rules that Grafana evaluates itself.
///
/// # Errors
/// Where the file can't be read or lacks a part.
pub fn sql_rules() -> Result<Vec<SqlRule>> {
    let path = crate::root().join("dashboards/provisioning/alerts.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file: Value = serde_saphyr::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let sequence = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value, what: &str| {
        let text = value.as_str().map(ToOwned::to_owned);
        text.with_context(|| format!("{}: a rule without {what}", path.display()))
    };
    let mut rules = Vec::new();
    for rule in sequence(&file["groups"]).iter().flat_map(|group| sequence(&group["rules"])) {
        let data = sequence(&rule["data"]);
        let query = data.first().context("a rule without data")?;
        rules.push(SqlRule {
            title: text(&rule["title"], "title")?,
            runbook_url: text(&rule["annotations"]["runbook_url"], "runbook_url")?,
            datasource_uid: text(&query["datasourceUid"], "datasourceUid")?,
            from_s: query["relativeTimeRange"]["from"].as_i64().context("a rule without a range")?,
            sql: text(&query["model"]["rawSql"], "rawSql")?,
        });
    }
    Ok(rules)
}
