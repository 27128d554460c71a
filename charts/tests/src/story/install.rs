//! From an empty cluster to three environments, and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use wattline_localstack::poll_until;

use crate::audit::{self, Demands};
use crate::charts::{Environment, RELEASE};
use crate::cluster::{NODES, PLATFORM_NAMESPACE};
use crate::object::each;
use crate::report::Report;

use super::World;
use super::release::Release;

/// What staging and prod want to find, with the keys that charts/wattline/values.yaml lists.
const SECRETS: [(&str, &[&str]); 7] = [
    (
        "wattline-database-passwords",
        &[
            "owner",
            "replication",
            "wattline_sink",
            "wattline_aggregator",
            "wattline_api",
            "wattline_grafana",
            "wattline_operator",
        ],
    ),
    ("wattline-mqtt-passwords", &["ingest", "meters", "observer", "cluster"]),
    ("wattline-api-token", &["token"]),
    // cert-manager would make these.
    ("wattline-authority", &["ca.crt", "tls.crt", "tls.key"]),
    ("wattline-kafka-tls", &CERTIFICATE),
    ("wattline-mqtt-tls", &CERTIFICATE),
    ("wattline-timescaledb-tls", &CERTIFICATE),
];
const CERTIFICATE: [&str; 4] = ["ca.crt", "tls.crt", "tls.key", "tls-combined.pem"];

/// Those of the cluster layer's kinds that the charts render, and Gateway, which one of the mistakes is made with. Each
/// other definition costs the API server time and shows nothing.
const FOREIGN_KINDS: [&str; 8] = [
    "Certificate",
    "Issuer",
    "ScaledObject",
    "TriggerAuthentication",
    "ServiceMonitor",
    "PrometheusRule",
    "HTTPRoute",
    "Gateway",
];

/// What goes with a release. Volume claims stay, and the passwords of what is in them.
const KINDS: &str = "pods,deployments,statefulsets,services,configmaps,pdb,networkpolicies,jobs,cronjobs";

/// What is there once per cluster.
pub(super) async fn prepare(world: &World, report: &mut Report) -> Result<()> {
    let cluster = &world.cluster;
    let step = async {
        let files = definitions(&world.crds)?;
        let mut arguments = vec!["apply", "--server-side", "--validate=false"];
        arguments.extend(files.iter().flat_map(|file| ["-f", file.as_str()]));
        cluster.kubectl.run(&arguments).await?;
        Ok(format!("{} of the cluster layer: {}", files.len(), FOREIGN_KINDS.join(", ")))
    };
    report.step("custom resource definitions", step).await?;
    let step = async {
        let namespace = |name: &str, level: &str| {
            let labels = json!({"pod-security.kubernetes.io/enforce": level});
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        };
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {
                "name": "local-path",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "rancher.io/local-path", "volumeBindingMode": "WaitForFirstConsumer",
        });
        let mut objects = vec![class, namespace(PLATFORM_NAMESPACE, "privileged")];
        for environment in Environment::ALL {
            objects.push(namespace(environment.name(), "restricted"));
            objects.extend(SECRETS.map(|(name, keys)| secret(environment, name, keys)));
        }
        cluster.apply(&objects).await?;
        cluster.create_platform().await?;
        Ok("storage class, namespaces with Pod Security \"restricted\", the platform's requests".to_owned())
    };
    report.step("the cluster's own components", step).await
}

/// The files that define those kinds.
fn definitions(folder: &Path) -> Result<Vec<String>> {
    let mut open = vec![folder.to_owned()];
    let mut found = BTreeMap::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = fs::read_to_string(&path)?;
                let defines = |kind: &&&str| text.lines().any(|line| line == format!("    kind: {kind}"));
                if let Some(kind) = FOREIGN_KINDS.iter().find(defines) {
                    found.insert(*kind, path.display().to_string());
                }
            }
        }
    }
    for kind in FOREIGN_KINDS {
        ensure!(found.contains_key(kind), "{} has no file that defines {kind}", folder.display());
    }
    Ok(found.into_values().collect())
}

fn secret(environment: Environment, name: &str, keys: &[&str]) -> Value {
    let data: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!("of a test"))).collect();
    let metadata = json!({"name": name, "namespace": environment.name()});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
}

pub(super) async fn three_environments(world: &World, report: &mut Report) -> Result<()> {
    for environment in Environment::ALL {
        let step = async {
            let release = Release::of(world, environment);
            release.upgrade(&[]).await?;
            let holds = audit::settled(&world.cluster, environment.name(), Demands::all(NODES.len())).await?;
            let scaled = release.autoscaled().await?;
            ensure!(scaled == expected_autoscaling(environment), "{environment} scales {scaled:?}");
            let scaled = if scaled.is_empty() { "nothing".to_owned() } else { scaled.join(", ") };
            let objects = release.count().await?;
            Ok(format!(
                "{objects} objects, {} pods that ask for {}; scaled: {scaled}",
                holds.pods, holds.requests
            ))
        };
        report.step(&format!("helm install {environment}"), step).await?;
    }
    Ok(())
}

fn expected_autoscaling(environment: Environment) -> &'static [&'static str] {
    match environment {
        Environment::Dev => &[],
        Environment::Staging | Environment::Prod => {
            &["aggregator by KEDA", "query-api by HPA", "timescale-sink by KEDA"]
        }
    }
}

/// KWOK says that the test's program ended well.
pub(super) async fn tests(world: &World, report: &mut Report) -> Result<()> {
    for environment in Environment::ALL {
        let step = async {
            let answer =
                Release::of(world, environment).helm(&["test", RELEASE, "--timeout", "300s"]).await?;
            ensure!(answer.contains("Succeeded"), "no test succeeded: {answer}");
            Ok("its pod is admitted, scheduled and ends".to_owned())
        };
        report.step(&format!("helm test {environment}"), step).await?;
    }
    Ok(())
}

/// The data stays, nothing else.
pub(super) async fn uninstalls(world: &World, report: &mut Report) -> Result<()> {
    for environment in Environment::ALL {
        let step = async {
            let release = Release::of(world, environment);
            release.helm(&["uninstall", RELEASE, "--wait", "--timeout", "300s"]).await?;
            let arguments = [
                "get",
                KINDS,
                "-n",
                release.namespace,
                "-l",
                "app.kubernetes.io/part-of=wattline",
                "-o",
                "json",
            ];
            // Pods take their time to stop, and helm does not wait for that.
            poll_until(
                "an empty namespace",
                Duration::from_secs(300),
                Duration::from_millis(500),
                async || {
                    let left = world.cluster.kubectl.items(&arguments).await?;
                    // Hooks are no part of the release: the test's pod is there until the next test, the Job of a
                    // migration that failed, and its pods, until the next upgrade.
                    let is_hook = |object: &&Value| {
                        let owners = &object["metadata"]["ownerReferences"];
                        !object["metadata"]["annotations"]["helm.sh/hook"].is_null()
                            || each(owners).any(|owner| owner["kind"] == "Job")
                    };
                    let ours = left.iter().find(|object| !is_hook(object));
                    Ok(ours.is_none().then_some(()))
                },
            )
            .await?;
            let claims = release.kubectl(&["get", "pvc", "-o", "name"]).await?.ok()?.lines().count();
            ensure!(claims > 0, "the data's volumes are gone with the release");
            Ok(format!("left are the secrets, the test's pod and {claims} volume claims with the data"))
        };
        report.step(&format!("helm uninstall {environment}"), step).await?;
    }
    Ok(())
}
