//! What a load costs: CPU time and memory of each process, from `/proc`.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use anyhow::{Context as _, ensure};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The machine that a report was made on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// As the kernel names it.
    pub cpu_model: String,
    /// Usable at once.
    pub cores: usize,
    /// All of it.
    pub memory_gib: f64,
    /// Of the kernel.
    pub kernel: String,
}

/// What one process with its children used while it was watched.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessUse {
    /// As in the stack's file.
    pub name: String,
    /// CPU time.
    pub cpu_s: f64,
    /// How often its threads had waited and went on.
    pub wakes: f64,
    /// Largest resident memory; of several processes the largest sum, shared pages counted once.
    pub memory_max_mib: f64,
}

/// What all processes used.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// The processes that were asked for, and this one.
    pub processes: Vec<ProcessUse>,
    /// How long they were watched.
    pub elapsed_s: f64,
    /// How busy the machine was, everything that ran on it included.
    pub machine_busy_percent: f64,
}

/// Processes that are added up.
#[derive(Debug)]
enum Root {
    /// This one and everything below it, but for some.
    Without(i32, Vec<i32>),
    /// These.
    These(Vec<i32>),
}

/// The program that measures, in reports.
pub const OWN: &str = "wattline-loadtest";
/// What the database spends on its questions.
pub const OWN_ANSWERS: &str = "timescale for wattline-loadtest";

/// Watches processes until it is stopped.
pub struct Watcher {
    stop: CancellationToken,
    task: JoinHandle<Usage>,
}

const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// `1 s / USER_HZ`, the same on every Linux.
const TICK: Duration = Duration::from_millis(10);
const MIB: f64 = 1024.0 * 1024.0;

// === impl Root ===

impl Root {
    fn pids(&self) -> Vec<i32> {
        match self {
            Self::Without(root, others) => {
                let mut pids = tree(*root);
                pids.retain(|pid| !others.contains(pid));
                pids
            }
            Self::These(pids) => pids.clone(),
        }
    }
}

// === impl Watcher ===

impl Watcher {
    /// Begins to watch. `own` are backends of the database that answer this program: what they use is not what is measured,
    /// and gets a line of its own.
    #[must_use]
    pub fn start(processes: &[(String, i32)], own: &[i32]) -> Self {
        let mut processes: Vec<(String, Root)> =
            processes.iter().map(|(name, pid)| (name.clone(), Root::Without(*pid, own.to_vec()))).collect();
        processes.push((OWN.to_owned(), Root::Without(std::process::id().cast_signed(), Vec::new())));
        if !own.is_empty() {
            processes.push((OWN_ANSWERS.to_owned(), Root::These(own.to_vec())));
        }
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let begin = Instant::now();
        let before: Vec<(Duration, u64)> =
            processes.iter().map(|(_, root)| root.pids()).map(|pids| (cpu(&pids), wakes(&pids))).collect();
        let machine_before = machine_ticks();
        let task = tokio::spawn(async move {
            let mut memory_max = vec![0; processes.len()];
            while !stopped.is_cancelled() {
                for ((_, root), memory_max) in processes.iter().zip(&mut memory_max) {
                    *memory_max = memory_bytes(&root.pids()).max(*memory_max);
                }
                tokio::select! {
                    () = tokio::time::sleep(SAMPLE_EVERY) => {}
                    () = stopped.cancelled() => {}
                }
            }
            let (busy, all) = machine_ticks();
            let (busy, all) = (busy - machine_before.0, all - machine_before.1);
            let uses = processes.into_iter().zip(before).zip(memory_max);
            Usage {
                processes: uses
                    .map(|(((name, root), (cpu_before, wakes_before)), memory_max)| {
                        let pids = root.pids();
                        ProcessUse {
                            name,
                            cpu_s: cpu(&pids).saturating_sub(cpu_before).as_secs_f64(),
                            wakes: number(wakes(&pids).saturating_sub(wakes_before)),
                            memory_max_mib: number(memory_max) / MIB,
                        }
                    })
                    .collect(),
                elapsed_s: Instant::now().saturating_duration_since(begin).as_secs_f64(),
                machine_busy_percent: 100.0 * number(busy) / number(all.max(1)),
            }
        });
        Self { stop, task }
    }

    /// Stops, and says what was used.
    ///
    /// # Errors
    /// Where the watching task failed.
    pub async fn finish(self) -> anyhow::Result<Usage> {
        self.stop.cancel();
        self.task.await.context("the task that watches processes")
    }
}

// === impl Machine ===

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu_model, cores, memory_gib, kernel } = self;
        write!(formatter, "{cores} × {cpu_model}, {memory_gib:.0} GiB, Linux {kernel}")
    }
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// Where `/proc` is not there.
    pub fn this() -> anyhow::Result<Self> {
        let cpus = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
        let memory = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
        let kernel =
            fs::read_to_string("/proc/sys/kernel/osrelease").context("reading the kernel's release")?;
        let model = cpus.lines().find(|line| line.starts_with("model name"));
        let total_kib = memory.lines().find_map(|line| kib(line, "MemTotal:")).unwrap_or(0);
        ensure!(total_kib > 0, "/proc/meminfo names no MemTotal");
        Ok(Self {
            cpu_model: model
                .and_then(|line| line.split_once(": "))
                .map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: number(total_kib) / (1024.0 * 1024.0),
            kernel: kernel.trim().to_owned(),
        })
    }
}

/// Largest resident memory that a process has ever had, in bytes; 0 where it is gone.
#[must_use]
pub fn memory_peak_bytes(pid: i32) -> u64 {
    status_kib(pid, "VmHWM:") * 1024
}

/// A process and everything below it: PostgreSQL does its work in children.
fn tree(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if let Some(parent) = stat(pid).get(1).and_then(|field| field.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Own time and that of children that ended.
fn cpu(pids: &[i32]) -> Duration {
    pids.iter().map(|pid| own_cpu(*pid) + TICK * ticks(*pid, 13, 2)).sum()
}

/// All threads of a process, ended ones included. Its clock counts ns; where it may not be read, ticks do.
fn own_cpu(pid: i32) -> Duration {
    // A number that is no process's could mean another clock.
    if stat(pid).is_empty() {
        return Duration::ZERO;
    }
    clock_getcpuclockid(Pid::from_raw(pid))
        .and_then(clock_gettime)
        .map_or_else(|_| TICK * ticks(pid, 11, 2), Duration::from)
}

/// The sum of so many fields of [`stat`].
fn ticks(pid: i32, first: usize, count: usize) -> u32 {
    let fields = stat(pid);
    let ticks = fields.iter().skip(first).take(count).filter_map(|field| field.parse::<u32>().ok());
    ticks.fold(0, u32::saturating_add)
}

/// Of all threads that there are: what ended ones had is not counted.
fn wakes(pids: &[i32]) -> u64 {
    let threads =
        pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    threads
        .map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            let waited = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            waited.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
        })
        .sum()
}

fn memory_bytes(pids: &[i32]) -> u64 {
    match pids {
        [pid] => memory_peak_bytes(*pid),
        pids => pids.iter().map(|pid| proportional_bytes(*pid)).sum(),
    }
}

/// Shared pages divided among those who share them; where that may not be read, all of them.
fn proportional_bytes(pid: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let proportional_kib = rollup.lines().find_map(|line| kib(line, "Pss:"));
    proportional_kib.unwrap_or_else(|| status_kib(pid, "VmRSS:")) * 1024
}

fn status_kib(pid: i32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| kib(line, field)).unwrap_or(0)
}

fn kib(line: &str, field: &str) -> Option<u64> {
    line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The fields of `/proc/PID/stat` behind the command's name, which may hold spaces: 0 = state, 1 = parent,
/// 11 to 14 = CPU ticks, own and of ended children.
fn stat(pid: i32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ")
        .map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().map(str::to_owned).collect())
}

/// Busy and all ticks of all cores.
fn machine_ticks() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guest times are in user already.
    let fields: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: u64 = fields.iter().sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (all - idle, all)
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_process_is_seen() {
        let watcher = Watcher::start(&[("gone".to_owned(), i32::MAX)], &[]);
        let begin = Instant::now();
        let mut sum = 0_u64;
        while begin.elapsed() < Duration::from_millis(60) {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 7);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let usage = watcher.finish().await.unwrap();
        let [gone, own] = &usage.processes[..] else { panic!("{usage:?}") };
        assert!(gone.cpu_s == 0.0 && gone.memory_max_mib == 0.0, "{gone:?}");
        assert!(own.cpu_s > 0.0 && own.cpu_s < 5.0 && own.memory_max_mib > 1.0, "{own:?}");
        assert!(usage.machine_busy_percent > 0.0);
        assert!(Machine::this().unwrap().memory_gib > 0.1);
    }

    #[test]
    fn own_backends_are_not_counted_twice() {
        let this = std::process::id().cast_signed();
        assert_eq!(Root::Without(this, Vec::new()).pids().first(), Some(&this));
        assert!(!Root::Without(this, vec![this]).pids().contains(&this));
        assert_eq!(Root::These(vec![7, 8]).pids(), [7, 8]);
    }
}
