//! The story of an installation: what an operator does with the charts over a year, on one cluster of three small nodes.

mod change;
mod disturb;
mod failover;
mod fit;
mod install;
mod mistake;
mod operator;
mod release;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::charts::Charts;
use crate::cluster::Cluster;
use crate::report::{Report, say};
use crate::tool::Tool;

/// What the story is told of.
#[derive(Debug)]
pub struct World {
    /// Where it happens.
    pub cluster: Cluster,
    charts: Charts,
    crds: PathBuf,
    operator_job: Tool,
}

// === impl World ===

impl World {
    /// A cluster without anything, and the charts.
    ///
    /// # Errors
    /// Where the charts or the definitions of foreign resources are missing.
    pub async fn new(cluster: Cluster, charts: &Path, crds: &Path) -> Result<Self> {
        let operator_job = cluster.script(&charts.join("../scripts/wattlinectl-job.sh"))?;
        ensure!(
            crds.is_dir(),
            "the folder {} is missing: it holds the CRDs of the cluster layer (cert-manager, KEDA, Prometheus operator, \
             Gateway API), without which nothing can be installed; name it by WATTLINE_CRDS, or let \
             scripts/kubernetes-crds.sh make one",
            crds.display()
        );
        let charts = Charts::copy(&cluster.helm, charts, &cluster.dir().join("charts")).await?;
        Ok(Self { cluster, charts, crds: crds.to_owned(), operator_job })
    }
}

/// Tells it, from an empty cluster to an empty cluster.
///
/// # Errors
/// The first step that went otherwise.
pub async fn tell(world: &World, report: &mut Report) -> Result<()> {
    install::prepare(world, report).await?;
    install::three_environments(world, report).await?;
    fit::side_by_side(world, report).await?;
    change::upgrades(world, report).await?;
    change::scales(world, report).await?;
    mistake::of_operators(world, report).await?;
    mistake::of_charts(world, report).await?;
    disturb::drains(world, report).await?;
    failover::a_lost_primary_leaves_its_service(world, report).await?;
    install::tests(world, report).await?;
    operator::runs_wattlinectl(world, report).await?;
    install::uninstalls(world, report).await?;
    fit::with_a_tainted_node(world, report).await
}

/// What a person would look at first after a step went wrong.
pub async fn show_trouble(world: &World) {
    for arguments in [
        &["get", "pods", "-A", "-o", "wide", "--field-selector=status.phase!=Succeeded"][..],
        &["get", "events", "-A", "--field-selector=type=Warning", "--sort-by=.lastTimestamp"],
    ] {
        // Nothing more can be said when not even this can be asked.
        if let Ok(text) = world.cluster.kubectl.run(arguments).await {
            let lines: Vec<&str> = text.lines().collect();
            say(&lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}
