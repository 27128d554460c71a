//! What must be true in a namespace after every install and upgrade, though helm would be content with less.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wattline_localstack::poll_until;

use crate::charts::RELEASE;
use crate::cluster::Cluster;
use crate::manifest;
use crate::object::{each, kind, labels, name, selects, template, title};
use crate::quantity::Amount;

const KINDS: &str = "pods,services,endpointslices,networkpolicies,pdb,jobs,cronjobs,secrets,configmaps,hpa";
/// Controllers need a moment to say what they found.
const SETTLE: Duration = Duration::from_secs(300);

/// What a namespace was found to hold.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    /// Pods that run.
    pub pods: usize,
    /// What they ask for together.
    pub requests: Amount,
}

/// What can be demanded of a namespace at this point of the story.
#[derive(Clone, Copy, Debug)]
pub struct Demands {
    /// How many nodes its replicas must be spread over.
    pub nodes: usize,
    /// Whether every disruption budget must allow one. For two minutes after an eviction it need not: a StatefulSet's new
    /// pod has the evicted one's name, and so long is waited for that one's end.
    pub budgets: bool,
}

type Labels = BTreeMap<String, String>;

/// The objects of a namespace, and the label sets that pods of it have or will have.
struct Namespace {
    objects: Vec<Value>,
    /// Of pods that run now.
    present: Vec<Labels>,
    /// Of pods that come and go: of Jobs, hooks and CronJobs.
    passing: Vec<Labels>,
    hooks: Vec<Value>,
}

/// Waits until nothing is wrong in a namespace.
///
/// # Errors
/// With everything that stays wrong.
pub async fn settled(cluster: &Cluster, namespace: &str, demands: Demands) -> Result<Holds> {
    let mut findings = Vec::new();
    let settled = poll_until("a settled namespace", SETTLE, Duration::from_millis(500), async || {
        let found = Namespace::read(cluster, namespace).await?;
        findings = found.findings(demands);
        Ok(findings.is_empty().then_some(found))
    })
    .await;
    ensure!(findings.is_empty(), "in {namespace}:\n  {}", findings.join("\n  "));
    settled?.holds()
}

/// What is wrong in a namespace at this moment.
///
/// # Errors
/// Where it can't be asked.
pub async fn findings(cluster: &Cluster, namespace: &str, demands: Demands) -> Result<Vec<String>> {
    Ok(Namespace::read(cluster, namespace).await?.findings(demands))
}

// === impl Demands ===

impl Demands {
    /// Everything, over so many nodes.
    #[must_use]
    pub fn all(nodes: usize) -> Self {
        Self { nodes, budgets: true }
    }
}

// === impl Namespace ===

impl Namespace {
    async fn read(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let objects = cluster.kubectl.items(&["get", KINDS, "-n", namespace, "-o", "json"]).await?;
        let hooks = cluster.helm.run(&["get", "hooks", RELEASE, "-n", namespace]).await?;
        let hooks = manifest::objects(&hooks)?;
        let present = objects.iter().filter(|object| is_running_pod(object)).map(labels).collect();
        let passing = objects.iter().filter(|object| matches!(kind(object), "CronJob" | "Job" | "Pod"));
        let passing = passing.chain(&hooks).filter_map(template).map(labels).collect();
        Ok(Self { objects, present, passing, hooks })
    }

    fn of(&self, wanted: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| kind(object) == wanted)
    }

    fn holds(&self) -> Result<Holds> {
        let running: Vec<&Value> = self.objects.iter().filter(|object| is_running_pod(object)).collect();
        let requests = running.iter().map(|pod| Amount::of_pod(&pod["spec"]).context(title(pod)));
        Ok(Holds { pods: running.len(), requests: requests.sum::<Result<Amount>>()? })
    }

    fn findings(&self, demands: Demands) -> Vec<String> {
        let mut findings = Vec::new();
        self.check_pods(&mut findings);
        self.check_spread(demands.nodes, &mut findings);
        self.check_disruption(demands.budgets, &mut findings);
        self.check_policies(&mut findings);
        self.check_services(&mut findings);
        self.check_references(&mut findings);
        self.check_autoscalers(&mut findings);
        findings
    }

    /// One autoscaler for each workload, and at least the replicas that it wants.
    fn check_autoscalers(&self, findings: &mut Vec<String>) {
        let mut targets: BTreeMap<&str, &str> = BTreeMap::new();
        for scaler in self.of("HorizontalPodAutoscaler") {
            let target = name_of(&scaler["spec"]["scaleTargetRef"]);
            if let Some(other) = targets.insert(target, name(scaler)) {
                findings.push(format!("{} and {other} both scale {target}", title(scaler)));
            }
            let (least, present) = (&scaler["spec"]["minReplicas"], &scaler["status"]["currentReplicas"]);
            if present.as_i64() < least.as_i64() {
                findings.push(format!("{} wants {least} replicas, there are {present}", title(scaler)));
            }
        }
    }

    fn check_pods(&self, findings: &mut Vec<String>) {
        for pod in self.of("Pod") {
            let phase = pod["status"]["phase"].as_str().unwrap_or_default();
            if pod["metadata"]["deletionTimestamp"].is_string() {
                findings.push(format!("{} is being deleted", title(pod)));
            } else if !matches!(phase, "Running" | "Succeeded") && !is_failed_job(pod) {
                let why =
                    each(&pod["status"]["conditions"]).find_map(|condition| condition["message"].as_str());
                findings.push(format!("{} is {phase}: {}", title(pod), why.unwrap_or("no reason yet")));
            }
        }
    }

    /// Replicas of one workload stand on different nodes, as far as there are nodes.
    fn check_spread(&self, nodes: usize, findings: &mut Vec<String>) {
        let mut workloads: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for pod in self.of("Pod").filter(|pod| is_running_pod(pod)) {
            let Some(owner) = each(&pod["metadata"]["ownerReferences"]).next() else { continue };
            let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
            *workloads.entry(name_of(owner)).or_default().entry(node).or_default() += 1;
        }
        for (owner, places) in workloads {
            let replicas: usize = places.values().sum();
            let most = places.values().max().copied().unwrap_or_default();
            if most > replicas.div_ceil(nodes) {
                findings.push(format!("{owner}'s {replicas} replicas stand on {places:?} of {nodes} nodes"));
            }
        }
    }

    /// No container is started here, so nobody else would miss a Secret or a ConfigMap.
    fn check_references(&self, findings: &mut Vec<String>) {
        let templates = self.objects.iter().chain(&self.hooks).filter_map(|object| {
            let wanted = matches!(kind(object), "Pod" | "CronJob" | "Job");
            template(object).filter(|_| wanted).map(|template| (title(object), &template["spec"]))
        });
        for (title, spec) in templates {
            for (wanted, name, items) in references(spec) {
                let mut found =
                    self.of(wanted).filter(|object| object["metadata"]["name"].as_str() == Some(name));
                let Some(found) = found.next() else {
                    findings.push(format!("{title} needs {wanted} {name}, which does not exist"));
                    continue;
                };
                let missing = items.iter().filter(|item| found["data"][**item].is_null());
                findings.extend(missing.map(|item| format!("{title} needs {item} of {wanted} {name}")));
            }
        }
    }

    fn check_disruption(&self, demanded: bool, findings: &mut Vec<String>) {
        for budget in self.of("PodDisruptionBudget") {
            if !self.present.iter().any(|labels| selects(&budget["spec"]["selector"], labels)) {
                findings.push(format!("{} selects no pod", title(budget)));
            }
            if demanded && budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) < 1 {
                findings.push(format!("{} allows no disruption: a drain would hang", title(budget)));
            }
        }
    }

    /// A policy that selects nothing protects nothing, and one that lets nobody in is a typing error. Who comes from
    /// another namespace can't be checked here.
    fn check_policies(&self, findings: &mut Vec<String>) {
        let exists = |selector: &Value| {
            self.present.iter().chain(&self.passing).any(|labels| selects(selector, labels))
        };
        for policy in self.of("NetworkPolicy") {
            if !exists(&policy["spec"]["podSelector"]) {
                findings.push(format!("{} selects no pod", title(policy)));
            }
            let rules = each(&policy["spec"]["ingress"]).map(|rule| &rule["from"]);
            for peers in rules.chain(each(&policy["spec"]["egress"]).map(|rule| &rule["to"])) {
                let ours: Vec<&Value> = each(peers).filter(|peer| peer["podSelector"].is_object()).collect();
                let elsewhere = each(peers).any(|peer| !peer["namespaceSelector"].is_null());
                if !ours.is_empty() && !elsewhere && !ours.iter().any(|peer| exists(&peer["podSelector"])) {
                    findings.push(format!("{} names only peers that don't exist: {peers}", title(policy)));
                }
            }
        }
    }

    fn check_services(&self, findings: &mut Vec<String>) {
        for service in self.of("Service").filter(|service| service["spec"]["selector"].is_object()) {
            let slices = self.of("EndpointSlice").filter(|slice| {
                slice["metadata"]["labels"]["kubernetes.io/service-name"].as_str() == Some(name(service))
            });
            let mut endpoints = slices.flat_map(|slice| each(&slice["endpoints"]));
            if !endpoints.any(|endpoint| endpoint["conditions"]["ready"] != false) {
                findings.push(format!("{} has no endpoint: {}", title(service), service["spec"]["selector"]));
            }
        }
    }
}

/// What a pod mounts or takes into its environment: kind, name, and the keys it names.
fn references(spec: &Value) -> Vec<(&'static str, &str, Vec<&str>)> {
    let mut found = Vec::new();
    for volume in each(&spec["volumes"]) {
        for (wanted, source, name) in
            [("Secret", &volume["secret"], "secretName"), ("ConfigMap", &volume["configMap"], "name")]
        {
            if let Some(name) = source[name].as_str() {
                found.push((
                    wanted,
                    name,
                    each(&source["items"]).filter_map(|item| item["key"].as_str()).collect(),
                ));
            }
        }
    }
    for variable in each(&spec["containers"]).flat_map(|container| each(&container["env"])) {
        for (wanted, source) in [("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")] {
            let reference = &variable["valueFrom"][source];
            if let Some(name) = reference["name"].as_str() {
                found.push((wanted, name, reference["key"].as_str().into_iter().collect()));
            }
        }
    }
    found
}

fn is_running_pod(object: &Value) -> bool {
    kind(object) == "Pod"
        && object["status"]["phase"] == "Running"
        && !object["metadata"]["deletionTimestamp"].is_string()
}

/// A failed Job's pods are kept for whoever looks for the reason; helm has said that it failed.
fn is_failed_job(pod: &Value) -> bool {
    pod["status"]["phase"] == "Failed"
        && each(&pod["metadata"]["ownerReferences"]).any(|owner| owner["kind"] == "Job")
}

/// The name in a reference.
fn name_of(reference: &Value) -> &str {
    reference["name"].as_str().unwrap_or_default()
}
