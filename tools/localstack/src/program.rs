//! A program that may be started, ended and started again: what servers, services and everything else have in common.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use parking_lot::Mutex;

use crate::process::{Launch, Process};

const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A named program and its newest process. It ends when this is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    launch: Launch,
    stop_signal: Signal,
    process: Mutex<Option<Arc<Process>>>,
}

impl Program {
    /// Starts it; SIGTERM will stop it.
    pub fn start(name: impl Into<String>, launch: Launch) -> Result<Self> {
        let program = Self::new(name, launch, Signal::SIGTERM);
        program.start_again()?;
        Ok(program)
    }

    pub(crate) fn new(name: impl Into<String>, launch: Launch, stop_signal: Signal) -> Self {
        Self { name: name.into(), launch, stop_signal, process: Mutex::new(None) }
    }

    /// As given at its start.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its standard output and error.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.launch.log_file
    }

    /// The last lines of its log, for an error message.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.launch.log_tail(lines)
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.running().map(|process| process.pid())
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.newest()?.exit_status()
    }

    /// Starts it, unless it runs.
    pub fn start_again(&self) -> Result<()> {
        let mut process = self.process.lock();
        if !process.as_ref().is_some_and(|process| process.is_running()) {
            *process = Some(Arc::new(Process::spawn(&self.launch)?));
        }
        Ok(())
    }

    /// Graceful; an error when it had to be killed after 30 s.
    pub async fn stop(&self) -> Result<()> {
        let Some(process) = self.running() else { return Ok(()) };
        process.signal(self.stop_signal)?;
        // A frozen process takes the signal when it runs again.
        process.signal_tree(Signal::SIGCONT)?;
        if let Ok(ended) = tokio::time::timeout(STOP_DEADLINE, process.wait()).await {
            ended?;
            return Ok(());
        }
        process.signal_tree(Signal::SIGKILL)?;
        process.wait().await?;
        bail!(
            "{} did not end within {} s of {} and was killed",
            self.name,
            STOP_DEADLINE.as_secs(),
            self.stop_signal
        )
    }

    /// `kill -9`, with all its children.
    pub async fn kill(&self) -> Result<()> {
        let Some(process) = self.running() else { return Ok(()) };
        process.signal_tree(Signal::SIGKILL)?;
        process.wait().await?;
        Ok(())
    }

    /// SIGSTOP, with all its children: its connections stay open and nothing answers.
    pub async fn freeze(&self) -> Result<()> {
        self.expect_running()?.signal_tree(Signal::SIGSTOP)
    }

    /// SIGCONT: undoes [`Program::freeze`].
    pub async fn thaw(&self) -> Result<()> {
        self.expect_running()?.signal_tree(Signal::SIGCONT)
    }

    /// Waits until the newest process has ended, and says how.
    pub async fn wait_ended(&self) -> Result<ExitStatus> {
        let process = self.newest().with_context(|| format!("{} was never started", self.name))?;
        process.wait().await
    }

    /// An error with the end of the log when the process has ended.
    pub(crate) fn ensure_running(&self) -> Result<()> {
        let process = self.newest().with_context(|| format!("{} was never started", self.name))?;
        let Some(status) = process.exit_status() else { return Ok(()) };
        bail!(
            "{} ended ({status}); the end of {}:\n{}",
            self.name,
            self.log_file().display(),
            self.log_tail(15)
        )
    }

    /// For `Drop`: as [`Program::stop`] or [`Program::kill`], without a runtime.
    pub(crate) fn end_blocking(&self, graceful: bool) {
        let Some(process) = self.running() else { return };
        // Errors mean that it is gone: then nothing is left to do.
        let _ = process.signal(if graceful { self.stop_signal } else { Signal::SIGKILL });
        let _ = process.signal_tree(Signal::SIGCONT);
        if !graceful || process.wait_blocking(Duration::from_secs(10)).is_none() {
            let _ = process.signal_tree(Signal::SIGKILL);
            let _ = process.wait_blocking(Duration::from_secs(5));
        }
    }

    fn newest(&self) -> Option<Arc<Process>> {
        self.process.lock().clone()
    }

    fn running(&self) -> Option<Arc<Process>> {
        self.newest().filter(|process| process.is_running())
    }

    fn expect_running(&self) -> Result<Arc<Process>> {
        self.running().with_context(|| format!("{} does not run", self.name))
    }
}
