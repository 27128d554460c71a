//! Which readings of a register count.

use crate::{Register, Row};

/// A reading in which the register is not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Event time in µs.
    pub ts_us: i64,
    /// The register's value in mWh.
    pub mwh: i64,
}

/// The chain of one register: its readings in order of time, without those that the rules ignore.
pub fn chain(rows: &[Row], register: Register) -> impl Iterator<Item = Link> {
    debug_assert!(rows.is_sorted_by(|a, b| a.ts_us < b.ts_us), "rows come in order of time, no two alike");
    rows.iter().filter_map(move |row| register.of(row).map(|mwh| Link { ts_us: row.ts_us, mwh }))
}
