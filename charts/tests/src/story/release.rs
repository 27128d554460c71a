//! One environment: its namespace, its values, and what helm and the API server say of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};

use crate::charts::{Environment, RELEASE};
use crate::manifest;
use crate::object::{each, kind, name, title};
use crate::tool::Answer;

use super::World;

/// An environment of a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release<'a> {
    pub(super) world: &'a World,
    pub(super) environment: Environment,
    pub(super) namespace: &'a str,
}

/// What the API server has of a release.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    /// What was written: without status, versions, and who wrote it when.
    pub(super) objects: BTreeMap<String, Value>,
    /// By name: counts up with every write that changes a specification.
    pub(super) generations: BTreeMap<String, i64>,
    /// Name and uid of every pod: a replaced one has another uid.
    pub(super) pods: BTreeSet<(String, String)>,
}

// === impl Release ===

impl<'a> Release<'a> {
    /// In the namespace that has the environment's name.
    pub(super) fn of(world: &'a World, environment: Environment) -> Self {
        Self { world, environment, namespace: environment.name() }
    }

    /// `helm upgrade --install`, as the documents say, and more arguments; waits until everything is there.
    pub(super) async fn try_upgrade(&self, timeout: &str, more: &[&str]) -> Result<Answer> {
        let charts = &self.world.charts;
        let (chart, values) = (charts.umbrella(), charts.values(self.environment));
        let mut arguments =
            vec!["upgrade", "--install", RELEASE, &chart, "-n", self.namespace, "-f", &values];
        arguments.extend(["--wait", "--timeout", timeout]);
        arguments.extend(more);
        self.world.cluster.helm.ask(&arguments, None).await
    }

    /// The same, and it must succeed.
    pub(super) async fn upgrade(&self, more: &[&str]) -> Result<()> {
        self.try_upgrade("300s", more).await?.ok()?;
        self.scale_as_keda().await
    }

    /// Makes of each ScaledObject the autoscaler that KEDA's operator would make: the controller-manager then keeps the
    /// least number of replicas. Without it prod would stand there with half of its pods.
    async fn scale_as_keda(&self) -> Result<()> {
        let arguments = ["get", "scaledobjects", "-n", self.namespace, "-o", "json"];
        let scaled = self.world.cluster.kubectl.items(&arguments).await?;
        self.world.cluster.apply(&scaled.iter().map(keda_autoscaler).collect::<Vec<_>>()).await
    }

    /// What the release scales, and by what; the names of workloads without the release's. KEDA's own autoscalers are
    /// not the release's.
    pub(super) async fn autoscaled(&self) -> Result<Vec<String>> {
        let objects = manifest::objects(&self.manifest().await?)?;
        let mut scaled: Vec<String> = objects
            .iter()
            .filter_map(|object| {
                let by = match kind(object) {
                    "ScaledObject" => "KEDA",
                    "HorizontalPodAutoscaler" => "HPA",
                    _ => return None,
                };
                let target = object["spec"]["scaleTargetRef"]["name"].as_str()?;
                Some(format!("{} by {by}", target.trim_start_matches("wattline-")))
            })
            .collect();
        scaled.sort();
        Ok(scaled)
    }

    /// Another command of helm on this release.
    pub(super) async fn helm(&self, command: &[&str]) -> Result<String> {
        let mut arguments = command.to_vec();
        arguments.extend(["-n", self.namespace]);
        self.world.cluster.helm.run(&arguments).await
    }

    /// A command of kubectl in its namespace.
    pub(super) async fn kubectl(&self, command: &[&str]) -> Result<Answer> {
        let mut arguments = command.to_vec();
        arguments.extend(["-n", self.namespace]);
        self.world.cluster.kubectl.ask(&arguments, None).await
    }

    /// The manifest of its present revision.
    pub(super) async fn manifest(&self) -> Result<String> {
        self.helm(&["get", "manifest", RELEASE]).await
    }

    /// The number of its newest revision, and its state.
    pub(super) async fn status(&self) -> Result<(i64, String)> {
        let text = self.helm(&["history", RELEASE, "-o", "json"]).await?;
        let history: Vec<Value> = serde_json::from_str(&text)?;
        let newest = history.iter().max_by_key(|revision| revision["revision"].as_i64());
        let newest = newest.cloned().unwrap_or_default();
        Ok((newest["revision"].as_i64().unwrap_or(0), newest["status"].as_str().unwrap_or("").to_owned()))
    }

    /// How many objects it has, those of hooks included.
    pub(super) async fn count(&self) -> Result<usize> {
        let hooks = self.helm(&["get", "hooks", RELEASE]).await?;
        Ok(manifest::objects(&self.manifest().await?)?.len() + manifest::objects(&hooks)?.len())
    }

    /// What the API server has now.
    pub(super) async fn snapshot(&self) -> Result<Snapshot> {
        let kubectl = &self.world.cluster.kubectl;
        let arguments = ["get", "-n", self.namespace, "-f", "-", "-o", "json", "--ignore-not-found"];
        let text = kubectl.feed(&arguments, &self.manifest().await?).await?;
        let list: Value = serde_json::from_str(&text)?;
        let (mut objects, mut generations) = (BTreeMap::new(), BTreeMap::new());
        // A Job runs once, and never again for a later revision.
        for object in each(&list["items"]).filter(|object| kind(object) != "Job") {
            let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
            generations.insert(title(object), generation);
            objects.insert(title(object), as_written(object));
        }
        let pods = kubectl.items(&["get", "pods", "-n", self.namespace, "-o", "json"]).await?;
        let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running");
        let pods = running.map(|pod| {
            (name(pod).to_owned(), pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
        });
        Ok(Snapshot { objects, generations, pods: pods.collect() })
    }

    /// Everything that the controllers warned of in its namespace.
    pub(super) async fn warnings(&self) -> Result<String> {
        let arguments = ["get", "events", "-n", self.namespace, "-o", "json"];
        let events = self.world.cluster.kubectl.items(&arguments).await?;
        let messages = events.iter().filter(|event| kind(event) == "Event" && event["type"] == "Warning");
        Ok(messages.filter_map(|event| event["message"].as_str()).collect::<Vec<_>>().join("\n"))
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Titles of objects that differ, or that only one of the two has.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let titles: BTreeSet<&String> = self.objects.keys().chain(other.objects.keys()).collect();
        let differs = |title: &&String| self.objects.get(*title) != other.objects.get(*title);
        titles.into_iter().filter(differs).cloned().collect()
    }

    /// Pods of the other that are not of this one.
    pub(super) fn replaced(&self, other: &Self) -> BTreeSet<String> {
        other.pods.difference(&self.pods).map(|(name, _)| name.clone()).collect()
    }
}

fn keda_autoscaler(scaled: &Value) -> Value {
    let (metadata, spec) = (&scaled["metadata"], &scaled["spec"]);
    let own_name = &spec["advanced"]["horizontalPodAutoscalerConfig"]["name"];
    let own_name = own_name.as_str().map_or_else(|| format!("keda-hpa-{}", name(scaled)), str::to_owned);
    let metric = json!({"type": "External", "external": {
        "metric": {"name": "s0-kafka"}, "target": {"type": "AverageValue", "averageValue": "1"},
    }});
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": own_name,
            "namespace": metadata["namespace"],
            "ownerReferences": [{
                "apiVersion": scaled["apiVersion"], "kind": "ScaledObject",
                "name": metadata["name"], "uid": metadata["uid"], "controller": true,
            }],
        },
        "spec": {
            "scaleTargetRef": spec["scaleTargetRef"],
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            "metrics": [metric],
        },
    })
}

/// An object without what the API server and the controllers add to it.
fn as_written(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for added in ["resourceVersion", "managedFields", "generation", "uid", "creationTimestamp"] {
            metadata.remove(added);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("deployment.kubernetes.io/revision");
        }
    }
    object
}
