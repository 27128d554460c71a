//! The table of `make faults`, a line for each story, in the file that `WATTLINE_FAULTS_REPORT` names.

use std::fs::OpenOptions;
use std::io::Write as _;

use wattline_tests::load::Survived;

/// A story whose rounds lost and doubled nothing: each was read back, or it would have failed.
pub(super) fn survived(what: &str, rounds: &[Survived]) {
    let readings: u64 = rounds.iter().map(|round| round.readings).sum();
    let gap = rounds.iter().map(|round| round.gap.stored.as_secs_f64()).fold(0.0, f64::max);
    let memory = rounds.iter().map(|round| round.memory_mib).max().unwrap_or(0);
    write(&format!("| {what} | {} | {readings} | 0 | 0 | {gap:.1} | {memory} |", rounds.len()));
}

/// A story with a round that did not do so; the log says what it lost or doubled.
pub(super) fn failed(what: &str, survived: usize) {
    write(&format!("| {what} | **{survived}, then one failed** | – | see the log | see the log | – | – |"));
}

fn write(line: &str) {
    let Some(path) = std::env::var_os("WATTLINE_FAULTS_REPORT") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the report's file");
    writeln!(file, "{line}").expect("writing the report");
}
