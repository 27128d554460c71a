//! The examples of `docs/tariffs.md` are what the crate computes.

use std::path::Path;

use serde_json::{Value, json};

use crate::ask::micro;
use crate::home::Home;

#[test]
fn the_examples_of_the_documentation_are_true() {
    let text = text();
    let examples: Vec<&str> =
        text.split("```cost\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 10, "{} examples", examples.len());
    for example in examples {
        check(example);
    }
}

#[test]
fn every_word_of_refusal_is_documented() {
    let text = text();
    for &code in wattline_tariff::Code::ALL {
        assert!(text.contains(&format!("`{}`", <&str>::from(code))), "{code:?}");
    }
}

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tariffs.md");
    std::fs::read_to_string(path).unwrap()
}

fn check(example: &str) {
    let mut home = Home::new();
    for line in example.lines().filter(|line| !line.starts_with('=')) {
        let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line}: what is that?"));
        let words: Vec<&str> = rest.split(' ').collect();
        home = match word {
            "zone" => home.zone(rest),
            "dates" => home.dates(words[0], words[1]),
            "import" => home.import(energies(&words)),
            "export" => home.export(energies(&words)),
            "vat" => home.version_key("vat", json!(rest)),
            "gross" => home.version_key("vat", json!(rest)).tariff("vat_included", json!(true)),
            "prices" => home.prices(60, words.iter().map(|word| price(word)).collect()),
            "calendar" => home.with("calendars", json!([json(rest)])),
            "component" => home.component(json(rest)),
            "version" => home.version(rest),
            _ => panic!("{line}: what is that?"),
        };
    }
    let answer = home.answer();
    let lines = answer["total"]["lines"].as_array().unwrap();
    for expected in example.lines().filter_map(|line| line.strip_prefix("= ")) {
        let (name, amount) = expected.split_once(": ").unwrap();
        let amount_of = |line: &&Value| {
            let own = line["component"].as_str().unwrap();
            match line["band"].as_str() {
                Some(band) => name == format!("{own} {band}"),
                None => name == own,
            }
        };
        let found = lines.iter().filter(amount_of).map(|line| &line["amount"]);
        let found: Vec<&Value> =
            if name == "all" { vec![&answer["total"]["amounts"][0]["amount"]] } else { found.collect() };
        let [found] = found[..] else { panic!("{name}: {found:?} in\n{example}") };
        if amount == "unknown" {
            assert!(found.is_null(), "{name}: {found} in\n{example}");
        } else {
            assert_eq!(micro(found), micro(&json!(padded(amount))), "{name}: {found} in\n{example}");
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// kWh of each quarter-hour, again and again.
fn energies(words: &[&str]) -> Value {
    let mwh = |word: &&str| match *word {
        "?" => Value::Null,
        kwh => json!(micro(&json!(padded(kwh)))),
    };
    words.iter().map(mwh).collect()
}

fn price(word: &str) -> Value {
    if word == "?" { Value::Null } else { json!(word) }
}

/// With six decimals.
fn padded(text: &str) -> String {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}.{part:0<6}")
}
