//! Rules and their cases, by promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use wattline_dashboards::alerts;
use wattline_localstack::Installation;

/// `promtool`, where `make install` puts it.
fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let program = Installation::find().unwrap().prometheus("promtool");
    let output = Command::new(&program).args(arguments).args(files).output();
    let output =
        output.unwrap_or_else(|error| panic!("{}: {error}; `make install` brings it", program.display()));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}:\n{out}{err}");
}

#[test]
fn rules_are_valid() {
    let files: Vec<_> = alerts::rule_files().unwrap().into_iter().map(|(path, _)| path).collect();
    promtool(&["check", "rules"], &files);
}

#[test]
fn each_alert_fires_in_one_case_and_is_silent_in_another() {
    let files = alerts::case_files().unwrap();
    promtool(&["test", "rules"], &files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
    let mut cases: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    for case in files.into_iter().flat_map(|(_, file)| file.tests) {
        for expected in case.alert_rule_test {
            // By it Alertmanager finds who is told.
            let nameless =
                expected.exp_alerts.iter().find(|alert| alert["exp_labels"]["namespace"].is_null());
            assert!(nameless.is_none(), "{}: an alert without a namespace: {nameless:?}", expected.alertname);
            let (fires, silent) = cases.entry(expected.alertname).or_default();
            if expected.exp_alerts.is_empty() { *silent = true } else { *fires = true }
        }
    }
    let rules = alerts::rule_files().unwrap();
    let rules = rules.iter().flat_map(|(_, file)| &file.groups).flat_map(|group| &group.rules);
    let names: BTreeSet<_> = rules.filter_map(|rule| rule.alert.clone()).collect();
    assert!(names.len() >= 25, "{names:?}");
    for name in names {
        let (fires, silent) = cases.get(&name).copied().unwrap_or_default();
        assert!(
            fires && silent,
            "{name}: a case in which it fires: {fires}; in which it is silent: {silent}"
        );
    }
}
