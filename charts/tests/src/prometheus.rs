//! Prometheus' own configuration and rules, made of ServiceMonitors and PrometheusRules as the Prometheus operator makes them.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::object::{each, name, strings, title};

/// Scrapes what these ServiceMonitors select, which `discovery` tells by HTTP, and `further` jobs, and tells alerts to
/// `alertmanager`, `host:port`.
///
/// # Errors
/// Where one says something that this doesn't know how to say.
pub fn config<'a>(
    monitors: impl Iterator<Item = &'a Value>,
    further: Vec<Value>,
    discovery: &str,
    alertmanager: &str,
) -> Result<Value> {
    let mut jobs: Vec<Vec<Value>> =
        monitors.map(|monitor| jobs(monitor, discovery)).collect::<Result<_>>()?;
    jobs.push(further);
    Ok(json!({
        "global": {"scrape_interval": "15s", "evaluation_interval": "5s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "rule_files": ["rules.yml"],
        "scrape_configs": jobs.concat(),
    }))
}

/// What Kubernetes itself says, as the jobs of the Prometheus community's chart read it: kubelets of the volumes on their nodes, which
/// want the token of a ServiceAccount and have certificates of their own, and kube-state-metrics of objects. Each `host:port`.
#[must_use]
pub fn kubernetes_jobs(kubelets: &[String], state_metrics: &str) -> Vec<Value> {
    vec![
        json!({
            "job_name": "kubelet",
            "scheme": "https",
            "tls_config": {"insecure_skip_verify": true},
            "authorization": {"credentials_file": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
            "static_configs": [{"targets": kubelets}],
        }),
        json!({"job_name": "kube-state-metrics", "static_configs": [{"targets": [state_metrics]}]}),
    ]
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

fn jobs(monitor: &Value, discovery: &str) -> Result<Vec<Value>> {
    let spec = &monitor["spec"];
    if strings(&spec["selector"]["matchLabels"]).is_empty() || !spec["namespaceSelector"].is_null() {
        bail!("{} selects other than by labels of its own namespace", title(monitor));
    }
    let namespace = monitor["metadata"]["namespace"].as_str().context("a monitor without a namespace")?;
    let endpoints = each(&spec["endpoints"]).enumerate();
    let job = |(number, endpoint): (usize, &Value)| {
        let place = format!("{namespace}/{}/{number}", name(monitor));
        json!({
            "job_name": place,
            "http_sd_configs": [{"url": format!("{discovery}/{place}"), "refresh_interval": "5s"}],
            "scrape_interval": endpoint["interval"],
            "scrape_timeout": endpoint["scrapeTimeout"],
            "metrics_path": endpoint["path"].as_str().unwrap_or("/metrics"),
        })
    };
    Ok(endpoints.map(job).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_is_asked_for_by_its_place() {
        let monitor = json!({"kind": "ServiceMonitor", "metadata": {"name": "m", "namespace": "n"}, "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": "sink"}},
            "endpoints": [{"port": "admin", "interval": "30s", "scrapeTimeout": "30s"}]}});
        let config = config([&monitor].into_iter(), kubernetes_jobs(&[], "s:1"), "http://d", "a:1").unwrap();
        let job = &config["scrape_configs"][0];
        assert_eq!(job["job_name"], "n/m/0");
        assert_eq!(job["http_sd_configs"][0]["url"], "http://d/n/m/0");
        assert_eq!(config["scrape_configs"][2]["job_name"], "kube-state-metrics");
        let elsewhere = json!({"metadata": {"namespace": "n"}, "spec": {"namespaceSelector": {"any": true}}});
        assert!(super::config([&elsewhere].into_iter(), vec![], "http://d", "a:1").is_err());
    }

    #[test]
    fn alerts_may_fire_soon() {
        let object = json!({"spec": {"groups": [{"name": "g", "rules": [{"alert": "A", "for": "15m"}, {"record": "r"}]}]}});
        let soon = rules([&object].into_iter(), Some("5s"));
        assert_eq!(soon["groups"][0]["rules"], json!([{"alert": "A", "for": "5s"}, {"record": "r"}]));
        assert_eq!(rules([&object].into_iter(), None)["groups"][0]["rules"][0]["for"], "15m");
    }
}
