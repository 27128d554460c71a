//! Names: what the services export, what is documented, what dashboards and alerts ask for.

use std::collections::{BTreeMap, BTreeSet};
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

/// Labels that Prometheus itself gives every series, and the charts' monitors the namespace.
const OF_TARGETS: [&str; 3] = ["namespace", "instance", "job"];
/// And those that the Prometheus operator gives besides.
const IN_CLUSTERS: [&str; 4] = ["service", "pod", "container", "endpoint"];

/// What dashboards and alerts may ask for: the labels of each series.
type Known = BTreeMap<String, BTreeSet<String>>;

/// A query's place, the query, and the labels that its legend names.
struct Asked {
    place: String,
    query: String,
    legend: Vec<String>,
}

/// All rules and all panels, and what rules record.
fn asked() -> (Vec<Asked>, Known) {
    let (mut asked, mut recorded) = (Vec::new(), Known::new());
    for (path, file) in alerts::rule_files().unwrap() {
        for rule in file.groups.into_iter().flat_map(|group| group.rules) {
            if let Some(record) = rule.record {
                recorded.insert(record, promql::names(&rule.expr).grouped);
            }
            asked.push(Asked { place: path.display().to_string(), query: rule.expr, legend: Vec::new() });
        }
    }
    let view = view::last(6, &["home-1"]);
    for board in board::load().unwrap() {
        for target in board.targets() {
            let Some(query) = target.promql() else { continue };
            let legend = board::text(target.json, "legendFormat").split("{{").skip(1);
            asked.push(Asked {
                place: target.name(&board),
                query: view.variables(query, None).unwrap(),
                legend: legend.filter_map(|rest| Some(rest.split_once("}}")?.0.trim().to_owned())).collect(),
            });
        }
    }
    (asked, recorded)
}

/// What a query names that nobody exports.
fn unknown(asked: &Asked, known: &Known) -> Vec<String> {
    let Asked { place, query, legend } = asked;
    let names = promql::names(query);
    let mut findings: Vec<String> = names
        .metrics
        .iter()
        .filter(|metric| !known.contains_key(*metric))
        .map(|metric| format!("{place}: nobody exports {metric}"))
        .collect();
    let of_target = |label: &str| OF_TARGETS.contains(&label);
    let has = |metric: &str, label: &str| known.get(metric).is_some_and(|labels| labels.contains(label));
    for (metric, label) in &names.matched {
        if !of_target(label) && !has(metric, label) {
            findings.push(format!("{place}: {metric} has no label {label}"));
        }
    }
    for label in names.grouped.iter().chain(legend) {
        if !of_target(label) && !names.metrics.iter().any(|metric| has(metric, label)) {
            findings.push(format!("{place}: no metric of it has the label {label}"));
        }
    }
    findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_and_label_that_is_asked_for_exists() {
    let services = monitored().await.families().await;
    let families = || services.iter().flat_map(|(_, families)| families.values());
    let (asked, mut known) = asked();
    for family in families() {
        // They go before a metric's own: in a cluster nobody would find it by such a label.
        let of_target = OF_TARGETS.into_iter().chain(IN_CLUSTERS);
        let hidden = of_target.into_iter().find(|label| family.labels.contains(*label));
        assert_eq!(hidden, None, "{:?} has a label of its target", family.series);
        for series in &family.series {
            let labels = known.entry(series.clone()).or_default();
            labels.extend(family.labels.iter().cloned());
            if series.ends_with("_bucket") {
                labels.insert("le".to_owned());
            }
        }
    }
    for metric in exporters::load().unwrap().iter().flat_map(|exporter| &exporter.metrics) {
        known.insert(metric.name.clone(), metric.labels().map(ToOwned::to_owned).collect());
    }
    let mut findings = Vec::new();
    for asked in &asked {
        findings.extend(unknown(asked, &known));
        for (metric, bound) in promql::names(&asked.query).bounds {
            let exists =
                families().any(|family| family.series.contains(&metric) && family.bounds.contains(&bound));
            if !exists {
                findings.push(format!("{}: {metric} has no bucket le={bound:?}", asked.place));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_metric_or_label_that_nobody_exports_is_named() {
    let known = Known::from([("a_total".to_owned(), BTreeSet::from(["topic".to_owned()]))]);
    for (query, legend, words) in [
        ("sum(rate(b_total[5m]))", "", "nobody exports b_total"),
        ("sum(a_total{tpoic=\"x\"})", "", "a_total has no label tpoic"),
        ("sum by (topics) (a_total)", "", "no metric of it has the label topics"),
        ("a_total", "subject", "no metric of it has the label subject"),
    ] {
        let legend =
            [legend].iter().filter(|label| !label.is_empty()).map(|label| (*label).to_owned()).collect();
        let asked = Asked { place: "here".to_owned(), query: query.to_owned(), legend };
        assert_eq!(unknown(&asked, &known), [format!("here: {words}")], "{query}");
    }
    let asked = Asked {
        place: "here".to_owned(),
        query: "sum by (namespace, topic) (a_total{namespace=~\".*\"})".to_owned(),
        legend: vec!["topic".to_owned()],
    };
    assert!(unknown(&asked, &known).is_empty());
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
