//! The table of `make faults`, a line for each story, in the file that `WATTLINE_FAULTS_REPORT` names.

use std::fs::OpenOptions;
use std::io::Write as _;

use wattline_tests::load::Survived;

/// A story whose rounds lost and doubled nothing: each was read back, or it would have failed.
pub(super) fn survived(what: &str, rounds: &[Survived]) {
    let sent: u64 = rounds.iter().map(|round| round.sent).sum();
    let read_back: u64 = rounds.iter().map(|round| round.read_back).sum();
    let gap = rounds.iter().map(|round| round.gap.stored.as_secs_f64()).fold(0.0, f64::max);
    let memory = rounds.iter().map(|round| round.memory_mib).max().unwrap_or(0);
    write(&format!("| {what} | {} | {sent} | {read_back} | {gap:.1} | {memory} |", rounds.len()));
}

/// A story with a round that did not do so; the log says what it lost or doubled.
pub(super) fn failed(what: &str, survived: usize) {
    write(&format!("| {what} | **{survived}, then one failed** | – | see the log | – | – |"));
}

fn write(line: &str) {
    let Some(path) = std::env::var_os("WATTLINE_FAULTS_REPORT") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the report's file");
    writeln!(file, "{line}").expect("writing the report");
}
