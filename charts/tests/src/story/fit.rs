//! Does it fit: three environments on three nodes, and one environment when the control plane keeps its taint.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use crate::audit::{self, Demands};
use crate::charts::{Environment, RELEASE};
use crate::cluster::{NODES, platform_requests};
use crate::object::kind;
use crate::quantity::Amount;
use crate::report::Report;

use super::World;
use super::release::Release;

/// All three at once: nothing waits for a place, and what is left is said.
pub(super) async fn side_by_side(world: &World, report: &mut Report) -> Result<()> {
    let mut kept = String::new();
    let step = async {
        let pods = world.cluster.kubectl.items(&["get", "pods", "-A", "-o", "json"]).await?;
        let pending = pods.iter().filter(|pod| pod["status"]["phase"] == "Pending").count();
        ensure!(pending == 0, "{pending} pods wait for a place");
        let capacity = capacity(world).await?;
        let mut left = capacity - platform_requests();
        let mut table = "| | objects | pods | mCPU | MiB |\n| --- | --- | --- | --- | --- |\n".to_owned();
        let mut row = |name: &str, objects: &str, pods: &str, amount: Amount| {
            // Writing to a string can't fail.
            let Amount { cpu_milli, memory_mib } = amount;
            let _ = writeln!(table, "| {name} | {objects} | {pods} | {cpu_milli} | {memory_mib} |");
        };
        row("three nodes", "", "", capacity);
        row("the cluster's own components", "", "", Amount::default() - platform_requests());
        for environment in Environment::ALL {
            let holds = audit::settled(&world.cluster, environment.name(), Demands::all(NODES.len())).await?;
            left = left - holds.requests;
            let objects = Release::of(world, environment).count().await?;
            let (objects, pods) = (objects.to_string(), holds.pods.to_string());
            row(environment.name(), &objects, &pods, Amount::default() - holds.requests);
        }
        row("left", "", "", left);
        ensure!(left.cpu_milli >= 0 && left.memory_mib >= 0, "more is asked for than there is: {left}");
        kept = table;
        Ok(format!("0 pods Pending; {left} are left"))
    };
    report.step("dev, staging and prod side by side", step).await?;
    report.keep_fit(kept);
    Ok(())
}

/// Two nodes take pods, the third only system pods: prod alone still fits, without the others.
pub(super) async fn with_a_tainted_node(world: &World, report: &mut Report) -> Result<()> {
    let step = async {
        let kubectl = &world.cluster.kubectl;
        kubectl.run(&["delete", "pvc", "--all", "-n", "prod", "--wait=true"]).await?;
        let taint = "node-role.kubernetes.io/control-plane:NoSchedule";
        kubectl.run(&["taint", "node", NODES[0], taint]).await?;
        let release = Release::of(world, Environment::Prod);
        release.upgrade(&[]).await?;
        let holds = audit::settled(&world.cluster, "prod", Demands::all(NODES.len() - 1)).await?;
        let on_tainted = format!("--field-selector=spec.nodeName={}", NODES[0]);
        let there = release.kubectl(&["get", "pods", "-o", "name", &on_tainted]).await?.ok()?;
        ensure!(there.trim().is_empty(), "pods ignore the taint: {there}");
        release.helm(&["uninstall", RELEASE, "--wait", "--timeout", "300s"]).await?;
        Ok(format!("prod alone, {} pods that ask for {}, 0 Pending", holds.pods, holds.requests))
    };
    report.step("prod on two nodes, the third keeps its control-plane taint", step).await
}

async fn capacity(world: &World) -> Result<Amount> {
    let nodes = world.cluster.kubectl.items(&["get", "nodes", "-o", "json"]).await?;
    let nodes = nodes.iter().filter(|node| kind(node) == "Node");
    nodes.map(|node| Amount::of(&node["status"]["allocatable"]).context("a node's capacity")).sum()
}
