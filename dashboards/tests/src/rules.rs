//! Rules of our own: what a schema can't say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::board::{Board, text};
use crate::expand::seconds;

/// Types of panels that show no quantity.
const WITHOUT_UNIT: [&str; 2] = ["row", "text"];
const COLUMNS: u64 = 24;
const REFRESH_S_MIN: i64 = 30;
/// Variables of Grafana itself.
const BUILT_IN: [&str; 3] = ["__value", "__field", "__data"];

/// What is wrong with the dashboards, in words that name board and panel.
#[must_use]
pub fn findings(boards: &[Board]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut uids: BTreeMap<&str, &str> = BTreeMap::new();
    for board in boards {
        if let Some(other) = uids.insert(board.uid(), &board.file) {
            findings.push(format!("{} and {other}: both have the uid {:?}", board.file, board.uid()));
        }
        let mut say = |what: String| findings.push(format!("{}: {what}", board.file));
        frame(board, &mut say);
        panels(board, &mut say);
        overlaps(board, &mut say);
        variables(board, &mut say);
        quoting(board, &mut say);
    }
    for board in boards {
        for target in link_targets(board) {
            if !uids.contains_key(target.as_str()) {
                findings.push(format!("{}: a link to /d/{target}, which is no dashboard here", board.file));
            }
        }
    }
    findings
}

/// The units of a panel: its own, and those of its overrides.
pub fn units(panel: &Value) -> impl Iterator<Item = &str> {
    let own = panel["fieldConfig"]["defaults"]["unit"].as_str();
    let overrides = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
    let properties = overrides.flat_map(|set| set["properties"].as_array().into_iter().flatten());
    own.into_iter()
        .chain(properties.filter(|property| property["id"] == "unit").filter_map(|p| p["value"].as_str()))
}

fn frame(board: &Board, say: &mut impl FnMut(String)) {
    let json = &board.json;
    for key in ["uid", "title", "description"] {
        if text(json, key).is_empty() {
            say(format!("no {key}"));
        }
    }
    for key in ["version", "__inputs", "id"] {
        if json.get(key).is_some_and(|value| !value.is_null()) {
            say(format!("{key:?} belongs to one Grafana, not into a file"));
        }
    }
    for (key, expected) in [
        ("schemaVersion", Value::from(42)),
        ("editable", Value::from(false)),
        ("graphTooltip", Value::from(1)),
        ("timezone", Value::from("browser")),
    ] {
        if json[key] != expected {
            say(format!("{key} is {}, must be {expected}", json[key]));
        }
    }
    if !json["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "wattline")) {
        say("the tag \"wattline\" is missing".to_owned());
    }
    match seconds(text(json, "refresh")) {
        Ok(refresh) if refresh >= REFRESH_S_MIN => {}
        _ => say(format!("refresh is {}, must be at least {REFRESH_S_MIN}s", json["refresh"])),
    }
    if !board.links().any(|link| text(link, "url").starts_with("/d/")) {
        say("no link to the next dashboard".to_owned());
    }
}

fn panels(board: &Board, say: &mut impl FnMut(String)) {
    let mut ids = BTreeSet::new();
    for panel in board.panels() {
        let (title, kind) = (text(panel, "title"), text(panel, "type"));
        if !panel["id"].as_u64().is_some_and(|id| ids.insert(id)) {
            say(format!("{title}: the id {} is missing or not its own", panel["id"]));
        }
        if title.is_empty() {
            say(format!("panel {} has no title", panel["id"]));
        }
        if WITHOUT_UNIT.contains(&kind) {
            continue;
        }
        if !text(panel, "description").contains('?') {
            say(format!("{title}: the description must state the question that the panel answers"));
        }
        if panel["fieldConfig"]["defaults"]["unit"].as_str().is_none_or(str::is_empty) {
            say(format!("{title}: no unit"));
        }
        let sources = std::iter::once(&panel["datasource"])
            .chain(panel["targets"].as_array().into_iter().flatten().map(|target| &target["datasource"]));
        for source in sources {
            if !text(source, "uid").starts_with("${") {
                say(format!("{title}: the data source {} is not a variable", source["uid"]));
            }
        }
        if panel["targets"].as_array().is_none_or(Vec::is_empty) {
            say(format!("{title}: no query"));
        }
    }
}

fn overlaps(board: &Board, say: &mut impl FnMut(String)) {
    let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    for panel in board.panels() {
        let title = text(panel, "title");
        let side = |key: &str| panel["gridPos"][key].as_u64();
        let (Some(x), Some(y), Some(width), Some(height)) = (side("x"), side("y"), side("w"), side("h"))
        else {
            say(format!("{title}: no gridPos"));
            continue;
        };
        if x + width > COLUMNS {
            say(format!("{title}: reaches to column {}, there are {COLUMNS}", x + width));
        }
        let cells = (y..y + height).flat_map(|row| (x..x + width).map(move |column| (column, row)));
        let below: BTreeSet<_> = cells.filter_map(|cell| taken.insert(cell, title)).collect();
        for other in below {
            say(format!("{title}: lies over {other:?}"));
        }
    }
}

fn variables(board: &Board, say: &mut impl FnMut(String)) {
    let defined: BTreeSet<&str> = board.variables().iter().map(|variable| text(variable, "name")).collect();
    let mut used = BTreeSet::new();
    let mut whole = board.json.clone();
    // A variable's definition doesn't count as its use, but what it asks may name others.
    for variable in whole["templating"]["list"].as_array_mut().into_iter().flatten() {
        *variable = Value::from(vec![variable["query"].clone(), variable["datasource"].clone()]);
    }
    collect(&whole, &mut used);
    for name in
        used.iter().filter(|name| !defined.contains(name.as_str()) && !BUILT_IN.contains(&name.as_str()))
    {
        say(format!("${name} is used and not defined"));
    }
    for name in defined.iter().filter(|name| !used.contains(**name)) {
        say(format!("${name} is defined and not used"));
    }
}

/// The value of a variable may be anybody's, out of a link. Only `sqlstring` quotes as SQL does: after a quote in it, the
/// rest of `singlequote` is SQL of the link's author, and other formats do not quote at all.
fn quoting(board: &Board, say: &mut impl FnMut(String)) {
    for target in board.targets() {
        let Some(sql) = target.sql() else { continue };
        for rest in sql.split('$').skip(1).filter(|rest| !rest.starts_with("__")) {
            let reference = rest.split_inclusive('}').next().unwrap_or_default();
            if !(reference.starts_with('{') && reference.ends_with(":sqlstring}")) {
                let title = text(target.panel, "title");
                let reference: String = reference.chars().take(30).collect();
                say(format!("{title}: ${reference} in SQL must be ${{name:sqlstring}}"));
            }
        }
    }
}

/// Names after `$` and in `${…}`, in all texts.
fn collect(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for part in text.split('$').skip(1) {
                let part = part.strip_prefix('{').unwrap_or(part);
                let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
                let name = &part[..end];
                let macro_ = name.starts_with("__") && !BUILT_IN.contains(&name);
                if !name.is_empty() && !macro_ {
                    used.insert(name.to_owned());
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, used)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, used)),
        _ => {}
    }
}

/// The uids in addresses `/d/…`, wherever they stand.
fn link_targets(board: &Board) -> BTreeSet<String> {
    let whole = board.json.to_string();
    let addresses = whole.split("\"/d/").skip(1);
    addresses.map(|rest| rest.split(['?', '"', '/']).next().unwrap_or_default().to_owned()).collect()
}
