//! A crate in two versions is compiled and shipped twice: each has a reason in `deny.toml`, also where `cargo deny` is
//! not installed.

use std::collections::{BTreeMap, BTreeSet};

use toml::Table;

use super::{assert_none, root};

#[test]
fn crates_in_several_versions_have_a_reason() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    assert_none("duplicates and deny.toml disagree", &disagreements(&read("Cargo.lock"), &read("deny.toml")));
}

/// Of each crate that is in the lock in several versions, all but one must be skipped, with a reason; and nothing else.
fn disagreements(lock: &str, deny: &str) -> Vec<String> {
    let (lock, deny): (Table, Table) = (lock.parse().unwrap(), deny.parse().unwrap());
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package[key].as_str().unwrap();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    let mut found = Vec::new();
    let bans = &deny["bans"];
    if bans.get("multiple-versions").and_then(toml::Value::as_str) != Some("deny") {
        found.push("deny.toml: multiple-versions is not \"deny\"".to_owned());
    }
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for skip in bans.get("skip").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |key: &str| skip.get(key).and_then(toml::Value::as_str);
        let Some((name, version)) = text("crate").and_then(|spec| spec.split_once('@')) else {
            found.push(format!("deny.toml: {skip} is no crate = \"name@version\""));
            continue;
        };
        if text("reason").is_none_or(|reason| reason.trim().is_empty()) {
            found.push(format!("deny.toml: {name}@{version} is skipped without a reason"));
        }
        if !versions.get(name).is_some_and(|versions| versions.contains(version)) {
            found.push(format!("deny.toml: {name}@{version} is skipped and no longer in Cargo.lock"));
        }
        *skipped.entry(name).or_default() += 1;
    }
    for (name, versions) in versions {
        let skips = skipped.get(name).copied().unwrap_or(0);
        if skips != versions.len() - 1 {
            let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
            found
                .push(format!("{name} is there as {versions}: deny.toml skips {skips}, all but one must be"));
        }
    }
    found
}

#[test]
fn a_duplicate_without_a_reason_and_a_reason_without_a_duplicate_are_found() {
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n\
                [[package]]\nname = \"b\"\nversion = \"1.0.0\"\n";
    let deny =
        |level: &str, skip: &str| format!("[bans]\nmultiple-versions = \"{level}\"\nskip = [{skip}]\n");
    let good = r#"{ crate = "a@1.0.0", reason = "b's newest wants it" }"#;
    assert_eq!(disagreements(lock, &deny("deny", good)), Vec::<String>::new());
    assert!(disagreements(lock, &deny("warn", good))[0].contains("multiple-versions"));
    assert!(disagreements(lock, &deny("deny", ""))[0].starts_with("a is there as 1.0.0, 2.0.0"));
    let silent = r#"{ crate = "a@1.0.0", reason = " " }"#;
    assert!(disagreements(lock, &deny("deny", silent))[0].contains("without a reason"));
    let stale = format!(r#"{good}, {{ crate = "c@1.0.0", reason = "gone" }}"#);
    assert!(disagreements(lock, &deny("deny", &stale))[0].contains("no longer in Cargo.lock"));
}
