//! Prometheus' own configuration and rules, made of ServiceMonitors and PrometheusRules as the Prometheus operator makes them.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::object::{each, name, strings, title};

/// Scrapes what these ServiceMonitors select, and tells alerts to `alertmanager`, `host:port`.
///
/// # Errors
/// Where one says something that this doesn't know how to say.
pub fn config<'a>(
    monitors: impl Iterator<Item = &'a Value>,
    alertmanager: &str,
    rules: &str,
) -> Result<Value> {
    let jobs: Vec<Vec<Value>> = monitors.map(jobs).collect::<Result<_>>()?;
    Ok(json!({
        "global": {"scrape_interval": "15s", "evaluation_interval": "5s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "rule_files": [rules],
        "scrape_configs": jobs.concat(),
    }))
}

/// The groups of all PrometheusRules. With `soon` an alert fires after that time, however long it would take.
#[must_use]
pub fn rules<'a>(objects: impl Iterator<Item = &'a Value>, soon: Option<&str>) -> Value {
    let mut groups: Vec<Value> =
        objects.flat_map(|object| each(&object["spec"]["groups"])).cloned().collect();
    for group in &mut groups {
        for rule in group["rules"].as_array_mut().into_iter().flatten() {
            if let (Some(soon), Some(wait)) = (soon, rule.get_mut("for")) {
                *wait = json!(soon);
            }
        }
    }
    json!({ "groups": groups })
}

fn jobs(monitor: &Value) -> Result<Vec<Value>> {
    let spec = &monitor["spec"];
    let selector = strings(&spec["selector"]["matchLabels"]);
    if selector.is_empty() || !spec["namespaceSelector"].is_null() {
        bail!("{} selects other than by labels of its own namespace", title(monitor));
    }
    let namespace = monitor["metadata"]["namespace"].as_str().context("a monitor without a namespace")?;
    let endpoints = each(&spec["endpoints"]).enumerate();
    let job = |(number, endpoint): (usize, &Value)| {
        let mut relabel: Vec<Value> = selector
            .iter()
            .map(|(label, value)| keep(&format!("__meta_kubernetes_service_label_{}", meta(label)), value))
            .collect();
        relabel.push(keep(
            "__meta_kubernetes_endpointslice_port_name",
            endpoint["port"].as_str().unwrap_or_default(),
        ));
        for (from, to) in [
            ("__meta_kubernetes_namespace", "namespace"),
            ("__meta_kubernetes_service_name", "service"),
            ("__meta_kubernetes_service_name", "job"),
            ("__meta_kubernetes_pod_name", "pod"),
            ("__meta_kubernetes_pod_container_name", "container"),
            ("__meta_kubernetes_endpointslice_port_name", "endpoint"),
        ] {
            relabel.push(json!({"source_labels": [from], "target_label": to}));
        }
        json!({
            "job_name": format!("{namespace}/{}/{number}", name(monitor)),
            "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": [namespace]}}],
            "scrape_interval": endpoint["interval"],
            "scrape_timeout": endpoint["scrapeTimeout"],
            "metrics_path": endpoint["path"].as_str().unwrap_or("/metrics"),
            "relabel_configs": relabel,
        })
    };
    Ok(endpoints.map(job).collect())
}

fn keep(label: &str, value: &str) -> Value {
    json!({"action": "keep", "source_labels": [label], "regex": value.replace('.', "\\.")})
}

/// A label's name as Prometheus' discovery has it.
fn meta(label: &str) -> String {
    label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_keeps_its_services_and_its_port() {
        let monitor = json!({"kind": "ServiceMonitor", "metadata": {"name": "m", "namespace": "n"}, "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "sink"}},
            "endpoints": [{"port": "admin", "interval": "30s", "scrapeTimeout": "30s"}]}});
        let config = config([&monitor].into_iter(), "a:1", "rules").unwrap();
        let job = &config["scrape_configs"][0];
        assert_eq!(job["job_name"], "n/m/0");
        assert_eq!(
            job["relabel_configs"][0]["source_labels"][0],
            "__meta_kubernetes_service_label_app_kubernetes_io_name"
        );
        assert_eq!(job["relabel_configs"][1]["regex"], "admin");
        let elsewhere = json!({"metadata": {"namespace": "n"}, "spec": {"namespaceSelector": {"any": true}}});
        assert!(super::config([&elsewhere].into_iter(), "a:1", "rules").is_err());
    }

    #[test]
    fn alerts_may_fire_soon() {
        let object = json!({"spec": {"groups": [{"name": "g", "rules": [{"alert": "A", "for": "15m"}, {"record": "r"}]}]}});
        let soon = rules([&object].into_iter(), Some("5s"));
        assert_eq!(soon["groups"][0]["rules"], json!([{"alert": "A", "for": "5s"}, {"record": "r"}]));
        assert_eq!(rules([&object].into_iter(), None)["groups"][0]["rules"][0]["for"], "15m");
    }
}
