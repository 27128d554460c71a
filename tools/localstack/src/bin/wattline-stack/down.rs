//! `wattline-stack down`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tracing::info;
use wattline_localstack::{Signal, delete, end_leftovers, owner, poll_until};

/// Options of `down`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The stack's folder.
    #[arg(long)]
    dir: PathBuf,
    /// Only stop it.
    #[arg(long)]
    keep_data: bool,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let dir = &options.dir;
    if !dir.exists() {
        info!("there is no stack in {}", dir.display());
        return Ok(());
    }
    if let Some(pid) = owner(dir)? {
        info!("stopping the stack in {} (process {pid})", dir.display());
        kill(Pid::from_raw(pid), Signal::SIGTERM).with_context(|| format!("cannot stop process {pid}"))?;
        let free = async || Ok(owner(dir)?.is_none().then_some(()));
        poll_until("the end of the stack", Duration::from_secs(90), Duration::from_millis(100), free).await?;
    }
    if options.keep_data {
        return end_leftovers(dir).await;
    }
    delete(dir).await?;
    info!("deleted {}", dir.display());
    Ok(())
}
