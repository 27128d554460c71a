//! The files themselves.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use wattline_dashboards::schema::{FOLDER, Schemas, folder};
use wattline_dashboards::{alerts, board, root, rules};

#[test]
fn dashboards_follow_the_rules() {
    let boards = board::load().unwrap();
    let findings = rules::findings(&boards);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    let uids: Vec<_> = boards.iter().map(board::Board::uid).collect();
    for uid in ["pipeline", "services", "servers", "home", "fleet", "quality"] {
        assert!(uids.contains(&format!("wattline-{uid}").as_str()), "{uids:?}");
    }
}

#[test]
fn dashboards_are_what_grafanas_schemas_say() {
    let Some(schemas) = Schemas::find().unwrap() else {
        // Past the capture of output: whoever reads the log must see that nothing was checked here.
        let text = format!(
            "\nNOT CHECKED: Grafana's JSON Schemas are not in {}; {FOLDER} may name another folder\n",
            folder().display()
        );
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return;
    };
    let boards = board::load().unwrap();
    let findings: Vec<_> = boards.iter().flat_map(|board| schemas.findings(board).unwrap()).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn every_alert_has_its_texts_and_a_runbook_with_its_sections() {
    let mut names = BTreeSet::new();
    let mut pages = Vec::new();
    for (path, file) in alerts::rule_files().unwrap() {
        for rule in file.groups.into_iter().flat_map(|group| group.rules) {
            let Some(name) = rule.alert else { continue };
            for annotation in ["summary", "description", "runbook_url"] {
                assert!(
                    rule.annotations.contains_key(annotation),
                    "{}: {name}: no {annotation}",
                    path.display()
                );
            }
            assert!(rule.labels.contains_key("severity"), "{}: {name}: no severity", path.display());
            pages.push((name.clone(), rule.annotations["runbook_url"].clone()));
            names.insert(name);
        }
    }
    for rule in alerts::sql_rules().unwrap() {
        pages.push((rule.title.clone(), rule.runbook_url));
        names.insert(rule.title);
    }
    let folder = root().join("docs/runbooks");
    for (name, url) in pages {
        assert!(url.ends_with(&format!("/docs/runbooks/{name}.md")), "{name}: {url}");
        let page = fs::read_to_string(folder.join(format!("{name}.md")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for section in ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"] {
            let text = page.split(section).nth(1).unwrap_or_else(|| panic!("{name}: no {section}"));
            let text = text.split("\n## ").next().unwrap_or_default();
            assert!(text.trim().len() > 25, "{name}: nothing under {section}");
        }
    }
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned();
        assert!(name == "README" || names.contains(&name), "docs/runbooks/{name}.md is of no alert");
        assert!(name == "README" || index.contains(&format!("({name}.md)")), "{name} is not in the index");
    }
}

#[test]
fn grafanas_own_alerts_ask_the_provisioned_data_source() {
    let sources = fs::read_to_string(root().join("dashboards/provisioning/datasources.yaml")).unwrap();
    let sources: serde_json::Value = serde_saphyr::from_str(&sources).unwrap();
    let sources = sources["datasources"].as_array().unwrap().clone();
    let uids: Vec<_> = sources.iter().map(|source| source["uid"].as_str().unwrap()).collect();
    assert_eq!(uids, ["timescale", "prometheus"]);
    for rule in alerts::sql_rules().unwrap() {
        assert!(uids.contains(&rule.datasource_uid.as_str()), "{}: {}", rule.title, rule.datasource_uid);
    }
}
