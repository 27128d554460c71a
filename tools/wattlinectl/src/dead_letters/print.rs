//! Letters for people, and as JSON.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use wattline_reading::Timestamp;
use wattline_routes::answer::Shown;

use super::fate::Becomes;
use super::replay::Report;
use super::{By, Group, Key, Letter};
use crate::print::{WRITE, table};

/// Longer texts are cut in tables; `show` and `--json` have them whole.
const CELL_CHARS_MAX: usize = 60;

/// Letters as a table.
pub(super) fn letters(letters: &[Letter], out: &mut impl Write) -> anyhow::Result<()> {
    let cells = |letter: &Letter| {
        vec![
            letter.key().to_string(),
            seconds(&time(letter.received_at)),
            letter.state.clone(),
            cell(&letter.reason),
            cell(&topic(letter)),
            letter.payload_bytes.to_string(),
            cell(&letter.detail),
        ]
    };
    let rows: Vec<Vec<String>> = letters.iter().map(cells).collect();
    table(&["key", "received at", "state", "reason", "topic", "bytes", "what is wrong"], &rows, out)
}

/// Groups as a table.
pub(super) fn groups(by: &[By], groups: &[Group], out: &mut impl Write) -> anyhow::Result<()> {
    let mut header: Vec<&str> = vec!["count"];
    header.extend(by.iter().map(|by| by.as_str()));
    header.extend(["oldest", "newest"]);
    let cells = |group: &Group| {
        let mut cells = vec![group.letters.to_string()];
        cells.extend(group.words.iter().map(|value| value.as_deref().map_or("-".to_owned(), cell)));
        cells.extend([seconds(&time(group.oldest)), seconds(&time(group.newest))]);
        cells
    };
    let rows: Vec<Vec<String>> = groups.iter().map(cells).collect();
    table(&header, &rows, out)
}

/// One letter, a line a field, then its payload.
pub(super) fn whole(letter: &Letter, payload: &[u8], out: &mut impl Write) -> anyhow::Result<()> {
    let number = |number: Option<i32>| number.map(|number| number.to_string());
    let fields = [
        ("key", Some(letter.key().to_string())),
        ("topic", Some(topic(letter))),
        ("broker", letter.mqtt_broker.clone()),
        ("route", letter.route.clone()),
        ("reason", Some(letter.reason.clone())),
        ("what is wrong", Some(letter.detail.clone())),
        ("first reason", letter.first_reason.clone()),
        ("received at", Some(time(letter.received_at))),
        ("stored at", Some(time(letter.stored_at))),
        ("retained", letter.retained.then(|| "yes".to_owned())),
        ("state", Some(letter.state.clone())),
        ("since", letter.state_at.map(time)),
        ("ignored as", letter.state_detail.clone()),
        ("readings", number(letter.readings)),
        ("attempts", (letter.attempts > 0).then(|| letter.attempts.to_string())),
        ("last attempt", letter.attempted_at.map(time)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            writeln!(out, "{name:14} {}", printable(&value)).context(WRITE)?;
        }
    }
    let (form, text) = match text(payload) {
        Some(text) => ("text", text.to_owned()),
        None => ("base64", BASE64_STANDARD.encode(payload)),
    };
    writeln!(out, "{:14} {} bytes, as {form}:\n{text}", "payload", payload.len()).context(WRITE)
}

/// A letter as JSON; what is not there is left out.
pub(super) fn letter_json(letter: &Letter) -> Map<String, Value> {
    let record_key = letter.record_key.as_deref();
    let document = json!({
        "key": letter.key().to_string(),
        "source_topic_id": letter.source_topic_id,
        "received_at": time(letter.received_at),
        "stored_at": time(letter.stored_at),
        "state": letter.state,
        "state_at": letter.state_at.map(time),
        "state_detail": letter.state_detail,
        "reason": letter.reason,
        "detail": letter.detail,
        "first_reason": letter.first_reason,
        "topic": letter.mqtt_topic,
        "record_key": record_key.and_then(text),
        "record_key_base64":
            record_key.filter(|key| text(key).is_none()).map(|key| BASE64_STANDARD.encode(key)),
        "route": letter.route,
        "broker": letter.mqtt_broker,
        "retained": letter.retained,
        "payload_bytes": letter.payload_bytes,
        "attempts": letter.attempts,
        "attempted_at": letter.attempted_at.map(time),
        "readings": letter.readings,
    });
    without_null(document)
}

/// The same with its payload.
pub(super) fn whole_json(letter: &Letter, payload: &[u8]) -> Map<String, Value> {
    let mut document = letter_json(letter);
    let (name, text) = match text(payload) {
        Some(text) => ("payload", text.to_owned()),
        None => ("payload_base64", BASE64_STANDARD.encode(payload)),
    };
    document.insert(name.to_owned(), text.into());
    document
}

/// A group as JSON; a letter that has none of it has null.
pub(super) fn group_json(by: &[By], group: &Group) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("count".to_owned(), group.letters.into());
    for (by, value) in by.iter().zip(&group.words) {
        document.insert(by.as_str().to_owned(), value.clone().into());
    }
    document.insert("oldest".to_owned(), time(group.oldest).into());
    document.insert("newest".to_owned(), time(group.newest).into());
    document
}

/// What a letter would become, in one line.
pub(super) fn becomes(key: &Key, becomes: &Becomes, out: &mut impl Write) -> anyhow::Result<()> {
    let text = match becomes {
        Becomes::Readings(_) | Becomes::Record(_) => {
            let readings = becomes.readings();
            let first = readings.first().map(|reading| format!("{} at {}", reading.meter_id, reading.ts));
            let more = match readings.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            format!("reading of {}{more}", first.unwrap_or_default())
        }
        Becomes::Ignored(why) => format!("ignored, {why}"),
        Becomes::Refused(refused) => format!("stays, {}: {}", refused.reason.as_str(), refused.detail),
    };
    writeln!(out, "{key}  {}", printable(&text)).context(WRITE)
}

/// The same as JSON, with the words of `wattlinectl decode`.
pub(super) fn becomes_json(key: &Key, becomes: &Becomes) -> Map<String, Value> {
    let document = match becomes {
        Becomes::Readings(_) | Becomes::Record(_) => {
            let readings: Vec<Shown> = becomes.readings().iter().map(Shown::from).collect();
            json!({"key": key.to_string(), "kind": "readings", "readings": readings})
        }
        Becomes::Ignored(why) => json!({"key": key.to_string(), "kind": "ignore", "reason": why}),
        Becomes::Refused(refused) => json!({
            "key": key.to_string(),
            "kind": "reject",
            "reason": refused.reason.as_str(),
            "detail": refused.detail,
            "route": refused.route,
        }),
    };
    without_null(document)
}

/// The sum of a replay in words.
pub(super) fn report(report: &Report, dry_run: bool) -> String {
    let words = |counts: &std::collections::BTreeMap<String, u64>| {
        let sum: u64 = counts.values().sum();
        let each: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        if each.is_empty() { "0".to_owned() } else { format!("{sum} ({})", each.join(", ")) }
    };
    let (replayed, ignored, stay) = if dry_run {
        ("would be replayed", "would be ignored", "would stay")
    } else {
        ("replayed", "ignored", "stay")
    };
    format!(
        "{} letters: {} {replayed} as {} readings, {} {ignored}, {} {stay}",
        report.letters,
        report.replayed,
        report.readings,
        words(&report.ignored),
        words(&report.refused)
    )
}

fn topic(letter: &Letter) -> String {
    match (&letter.mqtt_topic, &letter.record_key) {
        (Some(topic), _) => topic.clone(),
        (None, key) => format!("(record of {})", String::from_utf8_lossy(key.as_deref().unwrap_or_default())),
    }
}

fn time(at: DateTime<Utc>) -> String {
    Timestamp::from(at).to_string()
}

/// Without the fraction of a second.
fn seconds(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// A payload that can be shown as text: UTF-8 without control characters but tabs and line ends.
fn text(bytes: &[u8]) -> Option<&str> {
    let shown = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(shown))
}

fn cell(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= CELL_CHARS_MAX {
        return text;
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

/// What devices write must not move the terminal's cursor.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

fn without_null(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(mut fields) => {
            fields.retain(|_, value| !value.is_null());
            fields
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_text_or_it_is_not() {
        assert_eq!(text("{\"a\":\n\t\"ä\"}\r\n".as_bytes()), Some("{\"a\":\n\t\"ä\"}\r\n"));
        for bytes in [&b"\xff"[..], b"a\0b", b"\x1b[2J"] {
            assert_eq!(text(bytes), None);
        }
    }

    #[test]
    fn a_cell_is_short_and_harmless() {
        assert_eq!(cell("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(cell(&"ä".repeat(60)).chars().count(), 60);
        assert_eq!(cell(&"ä".repeat(61)).chars().last(), Some('…'));
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut out = Vec::new();
        table(
            &["a", "b"],
            &[vec!["1".to_owned(), "ä".to_owned()], vec!["100".to_owned(), "b".to_owned()]],
            &mut out,
        )
        .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A    B\n1    ä\n100  b\n");
    }
}
