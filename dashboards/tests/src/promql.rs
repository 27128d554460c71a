//! Names in PromQL. Whether an expression parses is for Prometheus to say; here it is only split into words.

use std::collections::BTreeSet;

/// What an expression names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Metrics.
    pub metrics: BTreeSet<String>,
    /// Bounds of histogram buckets: the values of `le`, with the metric before it.
    pub bounds: BTreeSet<(String, String)>,
    /// Labels that a metric is asked for, with the metric before them.
    pub matched: BTreeSet<(String, String)>,
    /// Labels that results are grouped, joined or enriched by.
    pub grouped: BTreeSet<String>,
}

/// Words that are followed by labels in parentheses.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const WORDS: [&str; 9] = ["and", "or", "unless", "offset", "bool", "inf", "nan", "start", "end"];

/// The metrics and bounds that an expression names.
#[must_use]
pub fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let mut rest = expression;
    let mut last = String::new();
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '"' | '\'' => 1 + rest[1..].find(first).map_or(rest.len() - 1, |end| end + 1),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '{' => {
                let end = matchers_end(rest);
                note_matchers(&rest[..end], &last, &mut names);
                end
            }
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' => {
                let word = word(rest);
                let after = rest[word.len()..].trim_start();
                let skip = rest.len() - after.len();
                if GROUPING.contains(&word) && after.starts_with('(') {
                    let end = after.find(')').unwrap_or(after.len());
                    let labels = after[1..end].split(',').map(str::trim).filter(|label| !label.is_empty());
                    names.grouped.extend(labels.map(ToOwned::to_owned));
                    skip + (end + 1).min(after.len())
                } else {
                    let aggregates = ["by", "without"].iter().any(|grouping| {
                        after.strip_prefix(grouping).is_some_and(|rest| rest.starts_with([' ', '(']))
                    });
                    let calls = aggregates || after.starts_with('(');
                    if !calls && !GROUPING.contains(&word) && !WORDS.contains(&word) {
                        word.clone_into(&mut last);
                        names.metrics.insert(last.clone());
                    }
                    word.len()
                }
            }
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        rest = &rest[skipped.min(rest.len())..];
    }
    names
}

fn word(rest: &str) -> &str {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    &rest[..end.unwrap_or(rest.len())]
}

/// The end of `{…}`, with braces in strings skipped.
fn matchers_end(rest: &str) -> usize {
    let mut quoted = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '}' if !quoted => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn note_matchers(matchers: &str, metric: &str, names: &mut Names) {
    for matcher in matchers.trim_matches(['{', '}']).split(',') {
        let Some(operator) = matcher.find(['=', '!']) else { continue };
        let (label, value) = matcher.split_at(operator);
        let (label, value) = (label.trim(), value.trim_start_matches(['=', '!', '~']).trim());
        if label == "le" {
            names.bounds.insert((metric.to_owned(), value.trim_matches('"').to_owned()));
        } else {
            names.matched.insert((metric.to_owned(), label.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_bounds_are_found_and_nothing_else() {
        for (expression, metrics, bounds) in [
            (
                "sum by (le, kind) (rate(a_bucket{namespace=~\"x|y\",le=\"25.6\"}[5m]))",
                vec!["a_bucket"],
                vec!["25.6"],
            ),
            ("a / on (instance, job) group_left (service) b{c=\"d\"} > 0.5e3", vec!["a", "b"], vec![]),
            ("a offset 1h or absent(b{x=\"}\"}) and time() > 1", vec!["a", "b"], vec![]),
            ("wattline:late:rate5m > 1", vec!["wattline:late:rate5m"], vec![]),
        ] {
            let found = names(expression);
            assert_eq!(found.metrics.iter().map(String::as_str).collect::<Vec<_>>(), metrics, "{expression}");
            let found: Vec<_> = found.bounds.iter().map(|(_, bound)| bound.as_str()).collect();
            assert_eq!(found, bounds, "{expression}");
        }
    }

    #[test]
    fn labels_are_found() {
        let found = names("sum by (a, b) (x{c=\"d\",e!~\"f|g\"}) / on (h) group_left (i) y{j=~\".*\"}");
        let matched: Vec<_> =
            found.matched.iter().map(|(metric, label)| (metric.as_str(), label.as_str())).collect();
        assert_eq!(matched, [("x", "c"), ("x", "e"), ("y", "j")]);
        assert_eq!(found.grouped.iter().collect::<Vec<_>>(), ["a", "b", "h", "i"]);
    }
}
