//! What the process itself uses, read from `/proc` at each scrape.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Clock ticks a second in `/proc`: `USER_HZ`, a constant of the Linux ABI.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE_BYTES: u64 = 4096;

/// Memory and CPU of this process.
#[derive(Debug, Default)]
pub struct ProcessCollector {}

/// One look at a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// CPU time since its start, user and system, in s.
    pub cpu_s: f64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
}

/// What the process `pid` (or `self`) uses; `None` where `/proc` doesn't say.
#[must_use]
pub fn usage(pid: &str) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything, spaces too.
    let mut fields = stat[stat.rfind(')')? + 2..].split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok().map(f64::from);
    let cpu_s = (next()? + next()?) / TICKS_PER_SECOND;
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let resident_pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(Usage { cpu_s, resident_bytes: resident_pages * PAGE_BYTES })
}

// === impl ProcessCollector ===

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(usage) = usage("self") else { return Ok(()) };
        let cpu = ConstCounter::new(usage.cpu_s);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "CPU time, user and system",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        let memory = ConstGauge::new(usage.resident_bytes);
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            "Resident memory",
            Some(&Unit::Bytes),
            memory.metric_type(),
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_one_that_is_not_there_nothing() {
        let usage = usage("self").unwrap();
        assert!(usage.resident_bytes > 100_000 && usage.cpu_s >= 0.0, "{usage:?}");
        assert_eq!(super::usage("0"), None);
    }
}
