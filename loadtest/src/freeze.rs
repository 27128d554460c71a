//! Processes that stand still while others are measured.

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tracing::warn;

/// Processes that stand still until this is dropped.
#[derive(Debug)]
pub struct Frozen(Vec<i32>);

// === impl Frozen ===

impl Frozen {
    /// Stops them where they are.
    ///
    /// # Errors
    /// Where one is gone or not ours; those before it go on.
    pub fn freeze(pids: Vec<i32>) -> anyhow::Result<Self> {
        let frozen = Self(pids);
        for pid in &frozen.0 {
            kill(Pid::from_raw(*pid), Signal::SIGSTOP).with_context(|| format!("freezing process {pid}"))?;
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            if let Err(error) = kill(Pid::from_raw(*pid), Signal::SIGCONT) {
                warn!("process {pid} could not be thawed: {error}");
            }
        }
    }
}
