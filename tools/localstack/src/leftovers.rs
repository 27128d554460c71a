//! What a killed run left behind: processes that still run, and files that say they do.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::proc::{is_zombie, processes_in, start_ticks};

/// Notes `pid` with its start time: a pid alone may be somebody else's by the time it is read.
pub(crate) fn write_record(path: &Path, pid: i32) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    // Without a start time the process has ended already and nobody will look for it.
    let Some(ticks) = start_ticks(pid) else {
        return Ok(());
    };
    fs::write(path, format!("{pid} {ticks}\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// Ends every process recorded below `folder` that still runs, and removes the records. Returns what it ended.
pub(crate) async fn end_recorded(folder: &Path) -> Result<Vec<String>> {
    let mut ended = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(ended);
    };
    for entry in entries.flatten() {
        let record = fs::read_to_string(entry.path()).unwrap_or_default();
        if let Some(pid) = living(&record) {
            end(pid).await?;
            ended.push(format!("{} (process {pid})", entry.path().file_stem().unwrap_or_default().display()));
        }
        fs::remove_file(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
    }
    Ok(ended)
}

/// Ends every process that works in `folder`: PostgreSQL's backends survive their postmaster for a moment, and
/// while one does, the data folder's shared memory is taken.
pub(crate) async fn end_working_in(folder: &Path) -> Result<()> {
    for pid in processes_in(folder) {
        end(pid).await?;
    }
    Ok(())
}

/// Signals every process that works in `folder`.
pub(crate) fn signal_working_in(folder: &Path, signal: Signal) -> Result<()> {
    for pid in processes_in(folder) {
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => bail!("cannot send {signal} to process {pid}: {error}"),
        }
    }
    Ok(())
}

/// The pid of a record whose process still runs: same pid, same start time.
fn living(record: &str) -> Option<i32> {
    let (pid, ticks) = record.trim().split_once(' ')?;
    let pid: i32 = pid.parse().ok()?;
    (start_ticks(pid) == ticks.parse().ok() && !is_zombie(pid)).then_some(pid)
}

/// SIGTERM, after five seconds SIGKILL. SIGCONT as well: the process may have been left frozen.
async fn end(pid: i32) -> Result<()> {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for signal in [signal, Signal::SIGCONT] {
            match kill(Pid::from_raw(pid), signal) {
                Ok(()) => {}
                Err(Errno::ESRCH) => return Ok(()),
                Err(error) => bail!("cannot end process {pid}, left over from an earlier run: {error}"),
            }
        }
        for _ in 0..100 {
            if kill(Pid::from_raw(pid), None).is_err() || is_zombie(pid) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    bail!("process {pid}, left over from an earlier run, does not end even on SIGKILL")
}
