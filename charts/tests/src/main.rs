//! Starts a Kubernetes control plane, tells the story of an installation of the charts there, and prints what it showed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use wattline_charts_tests::cluster::{Cluster, Sources};
use wattline_charts_tests::report::{Report, say};
use wattline_charts_tests::story::{self, World};

#[derive(Parser)]
struct Arguments {
    /// Folder with the tools that scripts/kubernetes-tools.sh built.
    #[arg(long)]
    tools: PathBuf,
    /// Folder of the charts.
    #[arg(long, default_value = "charts")]
    charts: PathBuf,
    /// Folder with the definitions of the cluster layer's resources.
    #[arg(long, env = "WATTLINE_CRDS", default_value = "../shared/crds")]
    crds: PathBuf,
    /// Write the table of steps there as well.
    #[arg(long)]
    report: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("kubernetes: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let sources =
        Sources { tools: arguments.tools.clone(), stages: arguments.charts.join("tests/kwok/stages.yaml") };
    // Dropped half started, on failure or a signal, its processes are killed with it.
    let cluster = tokio::select! {
        cluster = Cluster::start(&sources) => cluster.context("starting the control plane")?,
        () = stop_asked() => anyhow::bail!("stopped"),
    };
    say(&format!("{:>6.1} s  the control plane with three nodes", start.elapsed().as_secs_f64()));
    let world = World::new(cluster, &arguments.charts, &arguments.crds).await?;
    let mut report = Report::default();
    let outcome = tokio::select! {
        outcome = story::tell(&world, &mut report) => outcome,
        () = stop_asked() => Err(anyhow::anyhow!("stopped")),
    };
    if outcome.is_err() {
        story::show_trouble(&world).await;
    }
    let memory_mib = world.cluster.memory_mib();
    world.cluster.stop().await.context("stopping the control plane")?;
    outcome?;
    let table = format!("{}\nControl plane: {memory_mib} MiB.\n", report.table());
    if let Some(path) = &arguments.report {
        std::fs::write(path, &table).with_context(|| format!("cannot write {}", path.display()))?;
    }
    say(&format!("\n{table}"));
    Ok(())
}

/// Ctrl-C, or SIGTERM.
async fn stop_asked() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
