//! `/metrics`, read.

use std::collections::{BTreeMap, BTreeSet};

/// One family of metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge`, `histogram`.
    pub kind: String,
    /// `seconds`, `bytes`, or nothing.
    pub unit: String,
    /// What it means.
    pub help: String,
    /// Names of its labels, without `le`.
    pub labels: BTreeSet<String>,
    /// Names of its series: with `_total`, `_bucket`, `_sum`, `_count`.
    pub series: BTreeSet<String>,
    /// Bounds of its buckets.
    pub bounds: BTreeSet<String>,
}

/// All families of a text, by name.
#[must_use]
pub fn read(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(what), Some(name)) = (words.next(), words.next()) else { continue };
            let value = words.next().unwrap_or_default().to_owned();
            let family = families.entry(name.to_owned()).or_default();
            match what {
                "TYPE" => family.kind = value,
                "UNIT" => family.unit = value,
                "HELP" => value.trim_end_matches('.').clone_into(&mut family.help),
                _ => {}
            }
        } else if !line.is_empty() {
            note_series(line, &mut families);
        }
    }
    families.retain(|_, family| !family.series.is_empty());
    families
}

fn note_series(line: &str, families: &mut BTreeMap<String, Family>) {
    let end = line.find(['{', ' ']).unwrap_or(line.len());
    let name = &line[..end];
    let suffixes = ["", "_total", "_bucket", "_sum", "_count"];
    let base = suffixes.iter().filter_map(|suffix| name.strip_suffix(suffix));
    let Some(base) = base.filter(|base| families.contains_key(*base)).max_by_key(|base| base.len()) else {
        return;
    };
    let Some(family) = families.get_mut(base) else { return };
    family.series.insert(name.to_owned());
    let labels =
        line[end..].strip_prefix('{').and_then(|rest| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
    for (label, value) in pairs(labels) {
        if label == "le" {
            family.bounds.insert(value.to_owned());
        } else {
            family.labels.insert(label.to_owned());
        }
    }
}

/// `a="b",c="d"`; values of ours hold no quotes.
fn pairs(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = labels;
    std::iter::from_fn(move || {
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        rest = after;
        Some((label.trim_start_matches(','), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_type_unit_labels_and_bounds() {
        let text = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
            a_seconds_sum{kind=\"x,y\"} 1.0\na_seconds_count{kind=\"x\"} 1\na_seconds_bucket{le=\"0.5\",kind=\"x\"} 1\n\
            # HELP b Events.\n# TYPE b counter\nb_total 3\n# HELP c Nothing yet.\n# TYPE c counter\n# EOF\n";
        let families = read(text);
        assert_eq!(families.keys().collect::<Vec<_>>(), ["a_seconds", "b"]);
        let a = &families["a_seconds"];
        assert_eq!((a.kind.as_str(), a.unit.as_str(), a.help.as_str()), ("histogram", "seconds", "How long"));
        assert_eq!(a.labels.iter().collect::<Vec<_>>(), ["kind"]);
        assert_eq!(a.bounds.iter().collect::<Vec<_>>(), ["0.5"]);
        assert!(families["b"].series.contains("b_total"));
    }
}
