//! What the Prometheus operator would tell Prometheus and Alertmanager of one namespace, for a cluster without the operator.
//!
//! `kubectl get … --output json | wattline-monitoring NAMESPACE DISCOVERY ALERTMANAGER FOLDER`: the list has ServiceMonitors,
//! PrometheusRules and, where there is one, the AlertmanagerConfig.

use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::Value;
use wattline_charts_tests::object::{each, kind};
use wattline_charts_tests::{alertmanager, prometheus};

/// Prometheus' and Alertmanager's configuration, of a list of Kubernetes objects on standard input.
#[derive(Parser)]
struct Arguments {
    /// Whose alerts are told.
    namespace: String,
    /// Where the targets of monitors are told, `http://host:port`.
    discovery: String,
    /// Alertmanager's address, `host:port`.
    alertmanager: String,
    /// Where prometheus.yml, rules.yml and alertmanager.yml are written.
    folder: PathBuf,
    /// A node's kubelet, `host:port`.
    #[arg(long = "kubelet", value_name = "HOST:PORT")]
    kubelets: Vec<String>,
    /// What a Secret holds that the AlertmanagerConfig names, as in `pager/url=http://…`.
    #[arg(long = "secret", value_name = "SECRET/KEY=VALUE")]
    secrets: Vec<String>,
    /// Alerts fire and are told after this time, however long they would take.
    #[arg(long)]
    soon: Option<String>,
}

/// Where its own objects put it.
const STATE_METRICS: &str = "kube-state-metrics.kube-system.svc.cluster.local:8080";

fn main() -> Result<()> {
    let Arguments { namespace, discovery, alertmanager, folder, kubelets, secrets, soon } =
        Arguments::parse();
    let list: Value = serde_json::from_reader(io::stdin()).context("standard input is no JSON")?;
    let of = |wanted: &'static str| each(&list["items"]).filter(move |object| kind(object) == wanted);
    let secret = |name: &str, key: &str| {
        let of = |given: &'_ String| given.strip_prefix(&format!("{name}/{key}=")).map(str::to_owned);
        secrets.iter().find_map(of).unwrap_or_default()
    };
    let kubernetes = prometheus::kubernetes_jobs(&kubelets, STATE_METRICS);
    let mut files = vec![
        ("prometheus.yml", prometheus::config(of("ServiceMonitor"), kubernetes, &discovery, &alertmanager)?),
        ("rules.yml", prometheus::rules(of("PrometheusRule"), soon.as_deref())),
    ];
    if let Some(config) = of("AlertmanagerConfig").next() {
        let mut native = alertmanager::native(config, &namespace, &secret)?;
        if let Some(soon) = &soon {
            alertmanager::hasten(&mut native["route"], soon);
        }
        files.push(("alertmanager.yml", native));
    }
    for (file, content) in files {
        let path = folder.join(file);
        fs::write(&path, content.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
