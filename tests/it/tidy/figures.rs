//! A figure of speed in a README is one that was measured: a report in `loadtest/reports` holds it.
//!
//! A figure is a number before `/s`, `µs` or `ns`, with or without a word between as in `rows/s`; in a section "Speed" also
//! one before `ms` or `×`. In a list such as `5.1, 6.8, 9.0 µs` each number is one. A report holds it where one of its
//! numbers, rounded to as many decimals, is the same and has the same unit. Rates and ns stand in columns of the reports
//! whose heading has the unit, so of these the number is enough.

use std::fs;

use super::{assert_none, files, root};

#[test]
fn figures_of_speed_are_those_of_reports() {
    let folder = root().join("loadtest/reports");
    let reports =
        fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let reports = reports.collect::<Vec<_>>().join("\n");
    let readmes = files().into_iter().filter(|(path, _)| is_readme(path));
    let unheld = readmes.flat_map(|(path, text)| unheld(&path, &text, &reports));
    assert_none("figures of speed that no report in loadtest/reports holds", &unheld.collect::<Vec<_>>());
}

/// The root's, and one of each service, library and of the load test.
fn is_readme(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], ["README.md"] | ["services" | "crates", _, "README.md"] | ["loadtest", "README.md"])
}

/// A number as it is written, and what it counts.
#[derive(Debug, PartialEq)]
struct Figure {
    number: String,
    unit: &'static str,
}

/// Of a unit with a slash any word may stand before it.
const UNITS: [&str; 5] = ["/s", "µs", "ns", "ms", "×"];
const ONLY_OF_SPEED: [&str; 2] = ["ms", "×"];
const IN_HEADINGS: [&str; 2] = ["/s", "ns"];

fn unheld(path: &str, text: &str, reports: &str) -> Vec<String> {
    let measured = numbers(reports);
    let mut found = Vec::new();
    let mut of_speed = false;
    for (line, text) in (1..).zip(text.lines()) {
        if text.starts_with('#') {
            of_speed = text.to_lowercase().contains("speed");
        }
        for figure in figures(text) {
            let counts = of_speed || !ONLY_OF_SPEED.contains(&figure.unit);
            if counts && !measured.iter().any(|(number, unit)| figure.is(number, *unit)) {
                found.push(format!("{path}:{line}: {} {}", figure.number, figure.unit));
            }
        }
    }
    found
}

/// The figures of a line, lists of them included.
fn figures(line: &str) -> Vec<Figure> {
    let mut found = Vec::new();
    let mut waiting: Vec<String> = Vec::new();
    for (number, unit, separated) in numbers_and_what_follows(line) {
        waiting.push(number);
        if let Some(unit) = unit {
            found.extend(waiting.drain(..).map(|number| Figure { number, unit }));
        } else if !separated {
            waiting.clear();
        }
    }
    found
}

/// Every number of a text with its unit, where one of [`UNITS`] follows.
fn numbers(text: &str) -> Vec<(String, Option<&'static str>)> {
    text.lines().flat_map(numbers_and_what_follows).map(|(number, unit, _)| (number, unit)).collect()
}

/// Number, unit, and whether nothing but a separator is between it and the next number.
fn numbers_and_what_follows(line: &str) -> Vec<(String, Option<&'static str>, bool)> {
    let chars: Vec<char> = line.chars().collect();
    let is_part = |at: usize| {
        let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
        digit(at) || matches!(chars.get(at), Some(',' | '.')) && at > 0 && digit(at - 1) && digit(at + 1)
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || matches!(chars[at - 1], '_' | '.'));
        if !chars[at].is_ascii_digit() || in_word {
            at += 1;
            continue;
        }
        let from = at;
        while is_part(at) {
            at += 1;
        }
        let number = chars[from..at].iter().filter(|char| **char != ',').collect();
        let rest: String = chars[at..].iter().collect();
        let separated = [", ", " to ", " and ", "–", "-"].iter().any(|between| {
            rest.strip_prefix(between)
                .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
        });
        found.push((number, unit_of(&rest), separated));
    }
    found
}

/// `rest` follows a number directly.
fn unit_of(rest: &str) -> Option<&'static str> {
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let word: String =
        rest.chars().take_while(|char| char.is_alphanumeric() || matches!(char, '/' | '×')).collect();
    UNITS.into_iter().find(|unit| word == *unit || *unit == "/s" && word.ends_with(unit))
}

impl Figure {
    /// Whether a measured number says the same.
    fn is(&self, measured: &str, unit: Option<&str>) -> bool {
        if unit != Some(self.unit) && !(unit.is_none() && IN_HEADINGS.contains(&self.unit)) {
            return false;
        }
        let decimals = self.number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        measured.parse::<f64>().is_ok_and(|measured| format!("{measured:.decimals$}") == self.number)
    }
}

#[test]
fn a_figure_that_no_report_holds_is_found() {
    let report = "| taken in | 114934 | 8.70 s |\n| mqtt-ingest | 6.94 µs | 36 % |\n| PUBLISH to PUBACK | 29.7 ms |\n\
                  | decoder | ns per message |\n| `evcc` | 488 |\n";
    let unheld = |text: &str| unheld("README.md", text, report);
    assert_eq!(
        unheld("taken in 114,934/s at 6.9 µs, and 488 ns; 7 µs; 114,934 messages/s"),
        Vec::<String>::new()
    );
    assert_eq!(unheld("a\ntaken in 114,935/s"), ["README.md:2: 114935 /s"]);
    assert_eq!(unheld("CPU 6.9, 7.1, 8.0 µs"), ["README.md:1: 7.1 µs", "README.md:1: 8.0 µs"]);
    assert_eq!(unheld("| 6.8 to 7.3 µs |"), ["README.md:1: 6.8 µs", "README.md:1: 7.3 µs"]);
    assert_eq!(unheld("6.94 ns"), ["README.md:1: 6.94 ns"], "another unit is another figure");
    assert_eq!(unheld("200,000 rows/s").len(), 1);
    // Elsewhere these are settings and multiples.
    assert_eq!(unheld("steps of 250 ms, 2 × the memory"), Vec::<String>::new());
    assert_eq!(unheld("## Speed\np50 30 ms, p99 51 ms, 1.5 ×").len(), 2);
    assert_eq!(unheld("1,000,000 messages of 174 bytes; version 4.3.1; `window_ns`"), Vec::<String>::new());
}
