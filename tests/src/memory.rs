//! Memory of the services, watched while a story runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wattline_loadtest::processes::memory_peak_bytes;

use crate::system::System;

/// More than any service may have under the loads of these tests.
pub const MEMORY_MAX_MIB: u64 = 384;

/// Samples until it is finished.
pub struct MemoryWatch {
    stop: CancellationToken,
    task: JoinHandle<BTreeMap<String, u64>>,
}

// === impl MemoryWatch ===

impl MemoryWatch {
    /// Begins to watch all replicas, also those that are started later.
    #[must_use]
    pub fn start(system: &Arc<System>) -> Self {
        let stop = CancellationToken::new();
        let (stopped, system) = (stop.clone(), Arc::clone(system));
        let task = tokio::spawn(async move {
            let mut peaks: BTreeMap<String, u64> = BTreeMap::new();
            loop {
                for replica in system.replicas() {
                    let Some(pid) = replica.process.pid() else { continue };
                    let peak =
                        peaks.entry(format!("{}-{}", replica.process.kind(), replica.ordinal)).or_default();
                    *peak = memory_peak_bytes(pid).max(*peak);
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(250)) => {}
                    () = stopped.cancelled() => return peaks,
                }
            }
        });
        Self { stop, task }
    }

    /// Ends it, and fails where a replica had more than [`MEMORY_MAX_MIB`]. Returns the largest peak of one, in MiB.
    ///
    /// # Errors
    /// Names the replica and its peak.
    pub async fn finish(self) -> anyhow::Result<u64> {
        self.stop.cancel();
        let peaks = self.task.await.context("the task that watches memory")?;
        let mut largest = 0;
        for (name, peak) in peaks {
            let mib = peak / 1024 / 1024;
            largest = mib.max(largest);
            ensure!(
                mib <= MEMORY_MAX_MIB,
                "{name} had {mib} MiB of memory, at most {MEMORY_MAX_MIB} are its due"
            );
        }
        Ok(largest)
    }
}
