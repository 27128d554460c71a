//! Three nodes of 2 vCPU and 7 GiB, and what already runs on a cluster before an environment comes.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use wattline_localstack::poll_until;

use super::{Cluster, READY_DEADLINE};
use crate::object::each;
use crate::quantity::Amount;

/// Their names. The first one is the control plane's.
pub const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// Where the pods of the cluster's own components are.
pub const PLATFORM_NAMESPACE: &str = "platform";

/// A pod that only takes its place, as the component of that name would.
struct Component {
    name: &'static str,
    request: Amount,
    /// On that node and no other, such as a static pod or one of a DaemonSet.
    node: Option<&'static str>,
}

/// What a kubeadm cluster and the platform layer of the charts ask for: their charts' defaults.
fn components() -> Vec<Component> {
    let anywhere = |name, cpu_milli, memory_mib| Component {
        name,
        request: Amount::new(cpu_milli, memory_mib),
        node: None,
    };
    let on = |node, name, cpu_milli, memory_mib| Component {
        node: Some(node),
        ..anywhere(name, cpu_milli, memory_mib)
    };
    vec![
        on("node-1", "control-plane", 650, 100),
        on("node-1", "calico-1", 250, 0),
        on("node-2", "calico-2", 250, 0),
        on("node-3", "calico-3", 250, 0),
        anywhere("coredns-1", 100, 70),
        anywhere("coredns-2", 100, 70),
        anywhere("metrics-server", 100, 200),
        anywhere("keda-operator", 100, 100),
        anywhere("keda-metrics-apiserver", 100, 100),
        anywhere("keda-admission-webhooks", 100, 100),
        anywhere("prometheus", 300, 1024),
        anywhere("prometheus-operator", 100, 128),
        anywhere("gateway", 100, 128),
        anywhere("cert-manager", 30, 64),
    ]
}

/// The sum of what the cluster's own components ask for.
#[must_use]
pub fn platform_requests() -> Amount {
    components().iter().map(|component| component.request).sum()
}

// === impl Cluster ===

impl Cluster {
    /// Creates the nodes and waits until they are ready.
    pub(super) async fn create_nodes(&self) -> Result<()> {
        let capacity = json!({"cpu": "2", "memory": "7Gi", "pods": "110"});
        let nodes: Vec<Value> = NODES
            .iter()
            .map(|name| {
                json!({
                    "apiVersion": "v1", "kind": "Node",
                    "metadata": {
                        "name": name,
                        "annotations": {"kwok.x-k8s.io/node": "fake"},
                        "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
                    },
                    "status": {"capacity": capacity, "allocatable": capacity},
                })
            })
            .collect();
        // Created, not applied: the status is taken along only then.
        let list = json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string();
        self.kubectl.feed(&["create", "--validate=false", "-f", "-"], &list).await?;
        poll_until("three ready nodes", READY_DEADLINE, Duration::from_millis(200), async || {
            let nodes = self.kubectl.items(&["get", "nodes", "-o", "json"]).await?;
            Ok(nodes.iter().all(is_ready).then_some(()))
        })
        .await
    }

    /// Puts the cluster's own components on the nodes.
    ///
    /// # Errors
    /// Where one finds no place.
    pub async fn create_platform(&self) -> Result<()> {
        let pods: Vec<Value> = components().iter().map(Component::pod).collect();
        self.apply(&pods).await?;
        let running = ["get", "pods", "-n", PLATFORM_NAMESPACE, "-o", "json"];
        poll_until("the platform's pods", READY_DEADLINE, Duration::from_millis(200), async || {
            let pods = self.kubectl.items(&running).await?;
            Ok(pods.iter().all(|pod| pod["status"]["phase"] == "Running").then_some(()))
        })
        .await
    }
}

// === impl Component ===

impl Component {
    fn pod(&self) -> Value {
        let Amount { cpu_milli, memory_mib } = self.request;
        let requests = json!({"cpu": format!("{cpu_milli}m"), "memory": format!("{memory_mib}Mi")});
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": self.name, "namespace": PLATFORM_NAMESPACE},
            "spec": {
                "containers": [{"name": "main", "image": "platform", "resources": {"requests": requests}}],
                // As system components have it: a drain or a taint doesn't move them away for good.
                "tolerations": [{"operator": "Exists"}],
            },
        });
        if let Some(node) = self.node {
            pod["spec"]["nodeName"] = json!(node);
        }
        pod
    }
}

fn is_ready(node: &Value) -> bool {
    each(&node["status"]["conditions"])
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
