//! Payloads from `crates/formats/test_data`: a file for each family. A case says `quoted:` where the payload stands word for
//! word in the document, thread or recording named there, and `source:` where it was composed, by the fields that are
//! named there. `WATTLINE_BLESS=1` writes what is made of them into the files, to be read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use wattline_formats::FAMILIES;
use wattline_reading::{Limits, Timestamp};

use crate::answer::answer;
use crate::{Decoded, Input, Judge, Memory, RouteSettings, Routes};

mod fields;
mod forms;
mod hostile;
mod left_out;
mod no_value;
mod sequences;

const ARRIVAL: &str = "2026-11-20T10:00:30Z";

#[derive(Debug)]
struct Case {
    file: String,
    lines: Vec<String>,
    topic: String,
    payload: Vec<u8>,
    at: Timestamp,
    retained: bool,
    route: Option<RouteSettings>,
    source: String,
    quoted: bool,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/test_data")
}

fn field<'l>(lines: &'l [String], name: &str) -> Option<&'l str> {
    lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn read_case(file: &str, lines: Vec<String>) -> Case {
    let payload = if let Some(text) = field(&lines, "payload") {
        text.as_bytes().to_vec()
    } else if let Some(text) = field(&lines, "payload-json") {
        serde_json::from_str::<String>(text).unwrap().into_bytes()
    } else {
        let text = field(&lines, "payload-hex").unwrap_or_else(|| panic!("{file}: no payload in {lines:?}"));
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    let at = field(&lines, "at").unwrap_or(ARRIVAL);
    let (source, quoted) = match (field(&lines, "quoted"), field(&lines, "source")) {
        (Some(source), None) => (source.to_owned(), true),
        (None, Some(source)) => (source.to_owned(), false),
        _ => panic!("{file}: either `quoted` or `source` in {lines:?}"),
    };
    Case {
        file: file.to_owned(),
        topic: field(&lines, "topic").unwrap_or_else(|| panic!("{file}: no topic in {lines:?}")).to_owned(),
        payload,
        at: Timestamp::parse_rfc3339(at).unwrap_or_else(|| panic!("{file}: {at}")),
        retained: field(&lines, "retained") == Some("true"),
        route: field(&lines, "route").map(|route| serde_json::from_str(route).unwrap()),
        source,
        quoted,
        lines,
    }
}

fn cases() -> Vec<Case> {
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
            let lines = block.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
            cases.push(read_case(&name, lines));
        }
    }
    cases
}

fn judge(case: &Case) -> Judge {
    let own: Vec<_> = case.route.iter().cloned().collect();
    let families = if own.is_empty() { vec!["all".to_owned()] } else { Vec::new() };
    let routes = Routes::new(&own, &families).unwrap_or_else(|error| panic!("{}: {error:#}", case.file));
    Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 }
}

fn input(case: &Case) -> Input<'_> {
    Input {
        topic: &case.topic,
        payload: &case.payload,
        retained: case.retained,
        redelivered: false,
        received_at: case.at,
    }
}

/// What is made of each case; a file's cases share one memory.
fn made(cases: &[Case]) -> Vec<serde_json::Value> {
    let mut memory = Memory::default();
    let mut file = "";
    let each = cases.iter().map(|case| {
        if file != case.file {
            memory = Memory::default();
            file = &case.file;
        }
        serde_json::to_value(answer(&judge(case), &input(case), &mut memory)).unwrap()
    });
    each.collect()
}

#[test]
fn every_payload_becomes_what_its_file_says() {
    let cases = cases();
    let made = made(&cases);
    if std::env::var_os("WATTLINE_BLESS").is_some() {
        bless(&cases, &made);
        return;
    }
    let mut wrong = Vec::new();
    for (case, made) in cases.iter().zip(&made) {
        // Both through the parser, which may round a number's last digit.
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let expected = field(&case.lines, "made").and_then(parsed);
        if expected.is_none() || expected != parsed(&made.to_string()) {
            wrong.push(format!("{} {}\n  is       {made}\n  expected {expected:?}", case.file, case.topic));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn bless(cases: &[Case], made: &[serde_json::Value]) {
    let files: BTreeSet<&str> = cases.iter().map(|case| case.file.as_str()).collect();
    for file in files {
        let blocks = cases.iter().zip(made).filter(|(case, _)| case.file == file).map(|(case, made)| {
            let kept: Vec<&str> =
                case.lines.iter().filter(|line| !line.starts_with("made:")).map(String::as_str).collect();
            format!("{}\nmade: {made}\n", kept.join("\n"))
        });
        let text = blocks.collect::<Vec<_>>().join("\n");
        fs::write(folder().join(format!("{file}.txt")), text).unwrap();
    }
}

#[test]
fn every_family_has_payloads_and_each_payload_a_source() {
    let cases = cases();
    let without = cases.iter().find(|case| case.source.is_empty());
    assert!(without.is_none(), "{without:?}");
    let payloads: BTreeSet<_> = cases.iter().map(|case| (&case.topic, &case.payload)).collect();
    assert!(payloads.len() >= 100, "{} payloads", payloads.len());
    let covered: BTreeSet<&str> = cases.iter().map(|case| case.file.as_str()).collect();
    for family in FAMILIES {
        assert!(covered.contains(family.name), "no payload of {}", family.name);
        assert!(!family.title.is_empty() && !family.documents.is_empty(), "{}", family.name);
    }
    assert!(FAMILIES.len() >= 25, "{} families", FAMILIES.len());
}

/// A composed payload shows only what its author already knew of a device.
#[test]
fn at_least_100_payloads_are_quoted_from_25_families() {
    let cases = cases();
    let quoted: Vec<&Case> = cases.iter().filter(|case| case.quoted).collect();
    let payloads: BTreeSet<_> = quoted.iter().map(|case| (&case.topic, &case.payload)).collect();
    let families: BTreeSet<&str> = quoted.iter().map(|case| case.file.as_str()).collect();
    let without: Vec<&str> =
        FAMILIES.iter().map(|family| family.name).filter(|name| !families.contains(name)).collect();
    assert!(
        payloads.len() >= 100 && families.len() >= 25,
        "{} payloads of 100 and {} families of 25 are quoted; none of {}",
        payloads.len(),
        families.len(),
        without.join(", ")
    );
    // "the same source" says nothing to who looks for it.
    let vague = quoted.iter().find(|case| !case.source.contains('/'));
    assert!(vague.is_none(), "where does it stand? {vague:?}");
}

#[test]
fn a_payload_gives_the_same_meters_whether_cut_short_or_whole() {
    // Cut at every byte: nothing panics, and what is taken has no id that the whole payload doesn't have.
    for case in cases() {
        let judge = judge(&case);
        for end in 0..case.payload.len() {
            let input = Input { payload: &case.payload[..end], ..input(&case) };
            let _ = judge.decide(&input, &mut Memory::default(), |_| {});
        }
    }
}

/// The hostile set, for every family.
#[test]
fn hostile_payloads_are_judged_without_a_panic() {
    let large = format!("{{\"power\":\"{}\"}}", "9".repeat(1 << 20));
    let deep = format!("{}1", "{\"a\":[".repeat(10_000));
    let hostile: Vec<Vec<u8>> = [
        "",
        " ",
        "\0",
        "{",
        "[",
        "null",
        "true",
        "-",
        "NaN",
        "Infinity",
        "1e400",
        "-1e400",
        "1e-400",
        "{}",
        "[]",
        "[[]]",
        "{\"power\":NaN}",
        "{\"power\":Infinity}",
        "{\"power\":1e400}",
        "{\"power\":1,\"power\":2}",
        "{\"power\":\"12,5\",\"energy\":\"1.234,5\"}",
        "\u{feff}{\"power\":1}",
        "{\"power\":1}\0\0",
        "{\"time\":99999999999999999999999,\"power\":1}",
        "{\"Time\":\"9999-99-99T99:99:99\",\"ENERGY\":{\"Power\":1}}",
        "{\"StatusSNS\":[]}",
        "{\"data\":[1]}",
        "{\"params\":{\"em:\":{}}}",
        "/x\r\n!",
        "/!FFFF",
        "\u{1f600}",
        &large,
        &deep,
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        vec![0xff; 100],
        vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x7f],
        vec![0x80; 20],
        b"\"\\ud800\"".to_vec(),
    ])
    .collect();
    let routes = Routes::new(&[], &["all".to_owned()]).unwrap();
    let judge = Judge { routes, limits: Limits::default(), payload_bytes_max: 2 << 20 };
    for route in judge.routes.all() {
        let topic = route.filter.replace('+', "x:0").replace('#', "0/Ac/Power");
        let mut memory = Memory::default();
        for payload in &hostile {
            for retained in [false, true] {
                let received_at = Timestamp::parse_rfc3339(ARRIVAL).unwrap();
                let input = Input { topic: &topic, payload, retained, redelivered: false, received_at };
                let _ = judge.decide(&input, &mut memory, |_| {});
            }
        }
    }
    let topic = "/".repeat(65_535);
    let received_at = Timestamp::parse_rfc3339(ARRIVAL).unwrap();
    for topic in [topic.as_str(), "", "zigbee2mqtt", "N/x/grid", "\u{1f600}/status/em:0"] {
        let input = Input { topic, payload: b"{}", retained: false, redelivered: false, received_at };
        let _ = judge.decide(&input, &mut Memory::default(), |_| {});
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Bytes of real payloads exchanged, left out and put in.
    #[test]
    fn a_changed_payload_is_judged_without_a_panic(
        index in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
        retained: bool,
    ) {
        thread_local! {
            static CASES: Vec<Case> = cases();
        }
        CASES.with(|cases| {
            let case = index.get(cases);
            let mut payload = case.payload.clone();
            for (at, byte, kind) in &changes {
                if payload.is_empty() {
                    break;
                }
                let at = at.index(payload.len());
                match kind {
                    0 => payload[at] = *byte,
                    1 => drop(payload.remove(at)),
                    _ => payload.insert(at, *byte),
                }
            }
            let input = Input { payload: &payload, retained, ..input(case) };
            if let Decoded::Readings(readings) = judge(case).decide(&input, &mut Memory::default(), |_| {}) {
                assert!(!readings.is_empty());
                for mut reading in readings {
                    assert!(Limits::default().check(&mut reading, |_| {}).is_ok(), "checked twice, the same");
                }
            }
        });
    }
}
