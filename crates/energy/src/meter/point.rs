//! What is given of one register: its readings, and what the operator entered.

use crate::Register;

/// A reading of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Event time in µs.
    pub ts_us: i64,
    /// The register's value in mWh.
    pub mwh: i64,
    /// When the counter began at zero, where the device says so, in µs.
    pub epoch_us: Option<i64>,
}

/// The operator's event: a meter was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Which register.
    pub register: Register,
    /// When.
    pub at_us: i64,
    /// The old meter's last value, in mWh.
    pub old_mwh: i64,
    /// The new meter's first value, in mWh.
    pub new_mwh: i64,
}
