//! What the kernel says about processes, from `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Resident memory of a process, in bytes; 0 when it is gone.
#[must_use]
pub fn rss_bytes(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Processor time that a process has used so far, user and system, its ended children not included.
#[must_use]
pub fn cpu_time(pid: i32) -> Duration {
    /// `USER_HZ` of every Linux that Rust's Tier 1 targets run on.
    const TICKS_PER_SECOND: u64 = 100;
    let ticks = |index: usize| stat_fields(pid).get(index).and_then(|field| field.parse::<u64>().ok());
    Duration::from_millis((ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)) * 1000 / TICKS_PER_SECOND)
}

/// All processes that descend from `pid`, parents before children.
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> =
        all_pids().filter_map(|child| Some((child, stat_fields(child).get(1)?.parse().ok()?))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found.remove(0);
    found
}

/// Start time in ticks since boot: with the pid it names one process for good.
pub(crate) fn start_ticks(pid: i32) -> Option<u64> {
    stat_fields(pid).get(19)?.parse().ok()
}

/// Processes whose working folder is `folder`.
pub(crate) fn processes_in(folder: &Path) -> Vec<i32> {
    all_pids()
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder))
        .collect()
}

/// Whether the process is dead and only waits for its parent to notice.
pub(crate) fn is_zombie(pid: i32) -> bool {
    stat_fields(pid).first().is_some_and(|state| state == "Z")
}

fn all_pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of `/proc/PID/stat` behind the command's name, which may hold spaces: 0 = state, 1 = parent.
fn stat_fields(pid: i32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split_whitespace().map(str::to_owned));
    fields.map(Iterator::collect).unwrap_or_default()
}
