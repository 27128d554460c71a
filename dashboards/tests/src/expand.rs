//! Variables and macros, expanded as Grafana does: text replacement of variables first, then the macros of its
//! Postgres data source.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

/// What a dashboard shows.
#[derive(Clone, Debug)]
pub struct View {
    /// Where it begins.
    pub from: DateTime<Utc>,
    /// Where it ends.
    pub to: DateTime<Utc>,
    /// The values of the variables.
    pub values: BTreeMap<String, Vec<String>>,
    /// Points that Grafana asks for.
    pub points: i64,
}

/// Points that Grafana asks for on a panel of usual width.
pub const POINTS: i64 = 600;
/// What Grafana rounds an interval to: below so many seconds, this width, with its name.
const INTERVALS: [(f64, i64, &str); 19] = [
    (1.5, 1, "1s"),
    (3.5, 2, "2s"),
    (7.5, 5, "5s"),
    (12.5, 10, "10s"),
    (17.5, 15, "15s"),
    (25.0, 20, "20s"),
    (45.0, 30, "30s"),
    (90.0, 60, "1m"),
    (210.0, 120, "2m"),
    (450.0, 300, "5m"),
    (750.0, 600, "10m"),
    (1050.0, 900, "15m"),
    (1500.0, 1200, "20m"),
    (2700.0, 1800, "30m"),
    (5400.0, 3600, "1h"),
    (9000.0, 7200, "2h"),
    (16_200.0, 10_800, "3h"),
    (32_400.0, 21_600, "6h"),
    (86_400.0, 43_200, "12h"),
];

// === impl View ===

impl View {
    /// The same of a panel that may want fewer points.
    #[must_use]
    pub fn of(&self, panel: &Value) -> Self {
        Self { points: panel["maxDataPoints"].as_i64().unwrap_or(self.points), ..self.clone() }
    }

    /// The interval of a panel: of the range, rounded as Grafana does, and never under the panel's own.
    ///
    /// # Errors
    /// Where `least` is no interval.
    pub fn interval<'a>(&self, least: Option<&'a str>) -> Result<&'a str> {
        #[expect(clippy::cast_precision_loss, reason = "spans of seconds")]
        let wanted_s = (self.to - self.from).num_seconds() as f64 / self.points as f64;
        let rounded = INTERVALS.iter().find(|(below, ..)| wanted_s < *below);
        let (rounded_s, name) = rounded.map_or((86_400, "1d"), |(_, width_s, name)| (*width_s, *name));
        match least {
            Some(least) if seconds(least)? > rounded_s => Ok(least),
            _ => Ok(name),
        }
    }

    /// A query with its variables and Grafana's own replaced.
    ///
    /// # Errors
    /// Where a variable is not defined, or its format is not known.
    pub fn variables(&self, query: &str, least: Option<&str>) -> Result<String> {
        let interval = self.interval(least)?;
        let range_s = (self.to - self.from).num_seconds();
        let interval_ms = (seconds(interval)? * 1000).to_string();
        let query = query
            .replace("$__interval_ms", &interval_ms)
            .replace("$__interval", interval)
            .replace("$__rate_interval", "15s")
            .replace("$__range", &format!("{range_s}s"));
        let mut out = String::new();
        let mut rest = query.as_str();
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if rest.starts_with("__") {
                out.push('$');
                continue;
            }
            let (name, format, after) = reference(rest)?;
            let values =
                self.values.get(name).with_context(|| format!("the variable ${name} is not defined"))?;
            out.push_str(&formatted(values, format)?);
            rest = after;
        }
        Ok(out + rest)
    }

    /// SQL with its macros replaced.
    ///
    /// # Errors
    /// Where a macro is not one of the Postgres data source.
    pub fn macros(&self, sql: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = sql;
        while let Some(at) = rest.find("$__") {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let open = rest.find('(').context("a macro without arguments")?;
            // Grafana's own pattern: no parenthesis within the arguments.
            let close = rest.find(')').context("a macro that is not closed")?;
            let (name, arguments) = (&rest[..open], &rest[open + 1..close]);
            ensure!(!arguments.contains('('), "${name}({arguments}…: no call within a macro's arguments");
            let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
            let mut name = name.to_owned();
            rest = &rest[close + 1..];
            if name == "__timeGroup" && rest.trim_start().starts_with(',') {
                name.push_str("Alias");
            }
            out.push_str(&self.one_macro(&name, &arguments)?);
        }
        Ok(out + rest)
    }

    /// Both.
    ///
    /// # Errors
    /// As each.
    pub fn sql(&self, query: &str, least: Option<&str>) -> Result<String> {
        self.macros(&self.variables(query, least)?)
    }

    fn one_macro(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let argument = |place: usize| {
            let found = arguments.get(place).filter(|argument| !argument.is_empty());
            found.copied().with_context(|| format!("${name}: argument {} is missing", place + 1))
        };
        let (from, to) = (rfc3339(self.from), rfc3339(self.to));
        Ok(match name {
            "__time" => format!("{} AS \"time\"", argument(0)?),
            "__timeEpoch" => format!("extract(epoch from {}) as \"time\"", argument(0)?),
            "__timeFilter" => format!("{} BETWEEN '{from}' AND '{to}'", argument(0)?),
            "__timeFrom" => format!("'{from}'"),
            "__timeTo" => format!("'{to}'"),
            "__timeGroup" | "__timeGroupAlias" => {
                let width_s = seconds(argument(1)?.trim_matches('\''))?;
                let alias = if name.ends_with("Alias") { " AS \"time\"" } else { "" };
                format!("time_bucket('{width_s}.000s',{}){alias}", argument(0)?)
            }
            _ => bail!("${name} is no macro of the Postgres data source"),
        })
    }
}

/// Seconds of `1h`, `15m`, `7d`.
///
/// # Errors
/// Where it is none.
pub fn seconds(interval: &str) -> Result<i64> {
    let digits = interval.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &interval[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        other => bail!("{interval:?} is no interval: {other:?} is no unit"),
    };
    Ok(digits.parse::<i64>().with_context(|| format!("{interval:?} is no interval"))? * unit)
}

/// The name, the format and what follows of `name…`, `{name}…` or `{name:format}…`.
fn reference(rest: &str) -> Result<(&str, Option<&str>, &str)> {
    if let Some(braced) = rest.strip_prefix('{') {
        let (inside, after) = braced.split_once('}').context("a variable that is not closed")?;
        let (name, format) =
            inside.split_once(':').map_or((inside, None), |(name, format)| (name, Some(format)));
        return Ok((name, format, after));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    ensure!(end > 0, "a $ that begins nothing, before {rest:?}");
    Ok((&rest[..end], None, &rest[end..]))
}

fn formatted(values: &[String], format: Option<&str>) -> Result<String> {
    let quoted = |values: &[String]| {
        let quoted: Vec<_> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
        quoted.join(",")
    };
    Ok(match format {
        Some("sqlstring") => quoted(values),
        Some("csv" | "raw") => values.join(","),
        None if values.len() == 1 => values.join(""),
        None => format!("({})", values.join("|")),
        Some(other) => bail!("the format {other:?} of a variable is not known here"),
    })
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            from: DateTime::from_timestamp(1_793_000_000, 0).unwrap(),
            to: DateTime::from_timestamp(1_793_021_600, 0).unwrap(),
            values: BTreeMap::from([
                ("home".to_owned(), vec!["a'b".to_owned(), "c".to_owned()]),
                ("ns".to_owned(), vec![".*".to_owned()]),
            ]),
            points: POINTS,
        }
    }

    #[test]
    fn as_grafana_expands_them() {
        for (query, expected) in [
            ("$__timeFilter(ts)", "ts BETWEEN '2026-10-26T07:33:20Z' AND '2026-10-26T13:33:20Z'"),
            ("$__timeFrom()::timestamptz", "'2026-10-26T07:33:20Z'::timestamptz"),
            ("$__timeGroupAlias(bucket, $__interval, 0)", "time_bucket('900.000s',bucket) AS \"time\""),
            ("$__timeGroup(ts,'1h') + 1", "time_bucket('3600.000s',ts) + 1"),
            ("$__timeGroup(ts,'1h'), x", "time_bucket('3600.000s',ts) AS \"time\", x"),
            ("IN (${home:sqlstring})", "IN ('a''b','c')"),
            ("{n=~\"$ns\"}[$__rate_interval]", "{n=~\".*\"}[15s]"),
        ] {
            assert_eq!(view().sql(query, Some("15m")).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn an_interval_is_rounded_as_grafana_does() {
        for (hours, points, least, expected) in [
            (6, 600, None, "30s"),
            (72, 200, Some("15m"), "20m"),
            (24, 600, Some("15m"), "15m"),
            (720, 600, Some("15m"), "1h"),
            (8760, 100, None, "1d"),
        ] {
            let from = view().to - chrono::TimeDelta::hours(hours);
            let view = View { from, points, ..view() };
            assert_eq!(view.interval(least).unwrap(), expected, "{hours} h at {points} points");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (query, words) in [
            ("$__timeFiltre(ts)", "$__timeFiltre is no macro"),
            ("$__timeGroup(max(ts),1h)", "no call within"),
            ("$other", "$other is not defined"),
            ("$__timeGroup(ts)", "argument 2 is missing"),
            ("${home:singlequote}", "\"singlequote\" of a variable is not known"),
        ] {
            let error = format!("{:#}", view().sql(query, None).unwrap_err());
            assert!(error.contains(words), "{query}: {error}");
        }
    }
}
