//! Names: what the services export, what is documented, what dashboards and alerts ask for.

use std::collections::BTreeSet;
use std::fs;

use wattline_dashboards::{alerts, board, exporters, promql, root, telemetry};

use crate::monitored::monitored;
use crate::view;

/// Written anew where this is set.
const WRITE: &str = "WATTLINE_WRITE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_metrics_is_what_the_services_say() {
    let services = monitored().await.families().await;
    let document = telemetry::document(&services, &exporters::load().unwrap());
    let path = root().join("docs/telemetry.md");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &document).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    for (line, (expected, found)) in document.lines().zip(written.lines()).enumerate() {
        assert_eq!(
            found,
            expected,
            "docs/telemetry.md:{}: not what the services say; {WRITE}=1 writes it",
            line + 1
        );
    }
    assert_eq!(
        document.lines().count(),
        written.lines().count(),
        "docs/telemetry.md: {WRITE}=1 writes it anew"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_that_is_asked_for_exists() {
    let services = monitored().await.families().await;
    let families = || services.iter().flat_map(|(_, families)| families.values());
    let mut known: BTreeSet<String> = families().flat_map(|family| family.series.clone()).collect();
    let listed = exporters::load().unwrap().into_iter().flat_map(|exporter| exporter.metrics);
    known.extend(listed.map(|metric| metric.name));
    let mut asked = Vec::new();
    for (path, file) in alerts::rule_files().unwrap() {
        let rules: Vec<_> = file.groups.into_iter().flat_map(|group| group.rules).collect();
        known.extend(rules.iter().filter_map(|rule| rule.record.clone()));
        asked.extend(rules.into_iter().map(|rule| (path.display().to_string(), rule.expr)));
    }
    let view = view::last(6, &["home-1"]);
    for board in board::load().unwrap() {
        for target in board.targets() {
            let Some(query) = target.promql() else { continue };
            asked.push((target.name(&board), view.variables(query, None).unwrap()));
        }
    }
    let mut findings = Vec::new();
    for (place, query) in asked {
        let names = promql::names(&query);
        findings
            .extend(names.metrics.difference(&known).map(|name| format!("{place}: nobody exports {name}")));
        for (metric, bound) in names.bounds {
            let exists =
                families().any(|family| family.series.contains(&metric) && family.bounds.contains(&bound));
            if !exists {
                findings.push(format!("{place}: {metric} has no bucket le={bound:?}"));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_prometheus_gives_something() {
    let monitored = monitored().await;
    let view = view::last(6, &["home-1"]);
    for board in board::load().unwrap() {
        for target in board.targets() {
            let Some(query) = target.promql() else { continue };
            let query = view.variables(query, None).unwrap();
            let name = target.name(&board);
            let result = monitored.range(&query).await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
            // Nothing above zero is nothing to show.
            let optional = query.ends_with("> 0");
            assert!(optional || result[0].is_object(), "{name}: nothing from\n{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_equations_hold_in_what_prometheus_has() {
    let monitored = monitored().await;
    let boards = board::load().unwrap();
    let pipeline = boards.iter().find(|board| board.uid() == "wattline-pipeline").unwrap();
    let panel = pipeline.targets().filter(|target| target.panel["title"] == "Unaccounted for");
    let view = view::last(6, &["home-1"]);
    let queries: Vec<_> = panel.filter_map(|target| target.promql()).collect();
    assert_eq!(queries.len(), 2);
    for query in queries {
        let query = view.variables(query, None).unwrap();
        let result = monitored.range(&query).await.unwrap();
        let lines = result.as_array().unwrap();
        assert!(!lines.is_empty(), "{query}: nothing");
        for line in lines {
            let (labels, values) = (&line["metric"], line["values"].as_array().unwrap());
            assert!(values.len() > 10, "{labels}: {} instants", values.len());
            assert!(values.iter().all(|value| value[1] == "0"), "{query} of {labels}: {values:?}");
        }
    }
}
