//! A node is taken away for maintenance.

use anyhow::{Result, ensure};

use crate::audit::{self, Demands};
use crate::charts::Environment;
use crate::cluster::NODES;
use crate::object::{each, name};
use crate::report::Report;

use super::World;

/// Only our pods: the platform's, which have no controller here, would be gone for good.
const OURS: &str = "--pod-selector=app.kubernetes.io/part-of=wattline";

/// The node with most of prod's stateful pods leaves and comes back; while it is away no second one may leave.
pub(super) async fn drains(world: &World, report: &mut Report) -> Result<()> {
    let [_, first, second] = NODES;
    let step = async {
        drain(world, first, "120s").await?.ok()?;
        let waiting = pending(world).await?;
        ensure!(
            waiting.iter().all(|(_, owner)| owner == "StatefulSet"),
            "more than the pods that are bound to their volumes wait: {waiting:?}"
        );
        Ok(format!("pods without a volume moved, {} with one wait for their node", waiting.len()))
    };
    report.step(&format!("drain {first}"), step).await?;
    let step = async {
        let words = ["violate the pod's disruption budget"];
        drain(world, second, "15s").await?.refusal(&words)?;
        Ok("refused by the disruption budgets".to_owned())
    };
    report.step(&format!("drain {second} as well"), step).await?;
    let step = async {
        world.cluster.kubectl.run(&["uncordon", first, second]).await?;
        // Pods that moved stay where they are.
        let demands = Demands { nodes: NODES.len() - 1, budgets: false };
        for environment in Environment::ALL {
            audit::settled(&world.cluster, environment.name(), demands).await?;
        }
        Ok("all pods of the three environments run again".to_owned())
    };
    report.step("uncordon both", step).await
}

async fn drain(world: &World, node: &str, timeout: &str) -> Result<crate::tool::Answer> {
    let timeout = format!("--timeout={timeout}");
    let arguments = ["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", OURS, &timeout];
    world.cluster.kubectl.ask(&arguments, None).await
}

/// Names of pods that wait for a node, and the kinds of their owners.
async fn pending(world: &World) -> Result<Vec<(String, String)>> {
    let arguments = ["get", "pods", "-A", "-o", "json", "--field-selector=status.phase=Pending"];
    let pods = world.cluster.kubectl.items(&arguments).await?;
    let owner = |pod| each(pod).find_map(|owner| owner["kind"].as_str()).unwrap_or_default().to_owned();
    let waiting = pods.iter().map(|pod| (name(pod).to_owned(), owner(&pod["metadata"]["ownerReferences"])));
    Ok(waiting.collect())
}
