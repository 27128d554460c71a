//! When the stack shall end: Ctrl-C, SIGTERM, SIGHUP, or the end of the process that started it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::{Pid, getppid};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Everything that can ask for the end.
pub(crate) struct Lifetime {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
    /// `None`: it may outlive whoever started it.
    parent: Option<Pid>,
}

impl Lifetime {
    /// Listens from now on. Under `nohup`, or when its parent is the system itself, it outlives its parent.
    pub(crate) fn begin() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let (parent, nohup) = (getppid(), ignores_hang_up());
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: if nohup { None } else { Some(listen(SignalKind::hangup())?) },
            parent: (!nohup && parent.as_raw() > 1).then_some(parent),
        })
    }

    /// Waits for a reason to end, and names it.
    pub(crate) async fn ended(&mut self) -> &'static str {
        let parent = self.parent;
        tokio::select! {
            reason = self.asked() => reason,
            () = parent_ended(parent) => "the process that started it ended (nohup lets it go on)",
        }
    }

    /// Waits for a signal only, and names it.
    pub(crate) async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            () = received(self.hang_up.as_mut()) => "the terminal was closed",
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// A process whose parent ends gets another one.
async fn parent_ended(parent: Option<Pid>) {
    let Some(parent) = parent else { return std::future::pending().await };
    while getppid() == parent {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// As `nohup` leaves it.
fn ignores_hang_up() -> bool {
    const SIGHUP_BIT: u64 = 1;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGHUP_BIT != 0)
}
