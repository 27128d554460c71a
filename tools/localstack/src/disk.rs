//! A small disk for one server, in memory: for what happens when it is full.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Mounted until it is dropped; what it holds goes with it.
#[derive(Debug)]
pub(crate) struct SmallDisk(PathBuf);

// === impl SmallDisk ===

impl SmallDisk {
    /// Puts it where a server's folder is.
    pub(crate) fn mount(folder: &Path, mib: u32) -> Result<Self> {
        const CURE: &str = "scripts/faults.sh starts tests where that is allowed";
        let own = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
        // A process that is killed would leave it there.
        ensure!(
            own("self") != own("1"),
            "a small disk is mounted only where nobody else would see it, in a mount namespace: {CURE}"
        );
        let size = format!("size={mib}m");
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
            .with_context(|| format!("cannot mount a small disk at {}: {CURE}", folder.display()))?;
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It goes with the namespace at the latest.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}
