//! A child that may be started, ended and started again: what servers and services have in common.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use parking_lot::Mutex;

use crate::process::{Launch, Process};

/// The present process of one name, if any.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: Mutex<Option<Arc<Process>>>,
}

impl Child {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            process: Mutex::new(None),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The newest process, running or ended.
    pub(crate) fn newest(&self) -> Option<Arc<Process>> {
        self.process.lock().clone()
    }

    /// The process, if it has not ended.
    pub(crate) fn running(&self) -> Option<Arc<Process>> {
        self.newest().filter(|process| process.is_running())
    }

    /// Starts it, unless it runs.
    pub(crate) fn spawn(&self, launch: &Launch) -> Result<()> {
        let mut process = self.process.lock();
        if !process.as_ref().is_some_and(|process| process.is_running()) {
            *process = Some(Arc::new(Process::spawn(launch)?));
        }
        Ok(())
    }

    /// Asks it to end by `signal`; SIGKILL when it hasn't after `deadline`, which is an error.
    pub(crate) async fn stop(&self, signal: Signal, deadline: Duration) -> Result<()> {
        let Some(process) = self.running() else {
            return Ok(());
        };
        process.signal(signal)?;
        // A frozen process takes the signal when it runs again.
        process.signal_tree(Signal::SIGCONT)?;
        if let Ok(ended) = tokio::time::timeout(deadline, process.wait()).await {
            ended?;
            return Ok(());
        }
        process.signal_tree(Signal::SIGKILL)?;
        process.wait().await?;
        bail!(
            "{} did not end within {} s of {signal} and was killed",
            self.name,
            deadline.as_secs()
        )
    }

    /// `kill -9`, with all its children.
    pub(crate) async fn kill(&self) -> Result<()> {
        let Some(process) = self.running() else {
            return Ok(());
        };
        process.signal_tree(Signal::SIGKILL)?;
        process.wait().await?;
        Ok(())
    }

    /// Sends a signal to it and its children; an error when nothing runs.
    pub(crate) fn signal_tree(&self, signal: Signal) -> Result<()> {
        let process = self
            .running()
            .with_context(|| format!("{} does not run", self.name))?;
        process.signal_tree(signal)
    }

    /// An error with the end of the log when the process has ended.
    pub(crate) fn ensure_running(&self, launch: &Launch) -> Result<()> {
        let process = self
            .newest()
            .with_context(|| format!("{} was never started", self.name))?;
        let Some(status) = process.exit_status() else {
            return Ok(());
        };
        ensure!(
            false,
            "{} ended ({status}); the end of {}:\n{}",
            self.name,
            launch.log_file.display(),
            launch.log_tail(15)
        );
        Ok(())
    }

    /// For `Drop`: `signal`, and SIGKILL after `patience`.
    pub(crate) fn end_blocking(&self, signal: Signal, patience: Duration) {
        let Some(process) = self.running() else { return };
        // Errors mean that it is gone: then nothing is left to do.
        let _ = process.signal_tree(signal);
        let _ = process.signal_tree(Signal::SIGCONT);
        if process.wait_blocking(patience).is_none() {
            let _ = process.signal_tree(Signal::SIGKILL);
            let _ = process.wait_blocking(Duration::from_secs(5));
        }
    }
}
