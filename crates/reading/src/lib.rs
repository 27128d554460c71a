//! The reading: what one meter measured at one instant, its limits, and its form on the wire.
//!
//! Everything here is pure: no clock but [`Timestamp::now`], no I/O. Units are in the names: SI units, or
//! milliwatt-hours for registers.

pub mod dead_letter;
pub mod limits;
pub mod merge;
pub mod partition;
pub mod register;
pub mod timestamp;
pub mod topics;
pub mod wire;

pub use dead_letter::DeadLetter;
pub use limits::{Limits, Reason};
pub use merge::Meeting;
pub use timestamp::Timestamp;

/// The longest meter id, in bytes.
pub const METER_ID_BYTES_MAX: usize = 128;
/// The most readings that one MQTT message may carry.
pub const READINGS_PER_MESSAGE_MAX: usize = 1000;

/// What one meter measured at one instant.
///
/// At least one measure is present in a reading that passed [`Limits::check`].
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// One measuring point, 1 to 128 bytes; the key of the Kafka record.
    pub meter_id: String,
    /// Event time: the device's own where it has a trustworthy one, else arrival.
    pub ts: Timestamp,
    /// Arrival at mqtt-ingest.
    pub received_at: Timestamp,
    /// Where `ts` comes from.
    pub ts_source: TsSource,
    /// What was measured.
    pub measures: Measures,
    /// When the device's counters began at zero, where it says so.
    pub register_epoch: Option<Timestamp>,
    /// The broker set DUP, and this process had not seen the packet before.
    pub redelivered: bool,
}

/// Where a reading's event time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TsSource {
    /// The device's own clock.
    #[default]
    Device,
    /// The instant of arrival at mqtt-ingest.
    Arrival,
}

/// The measures of a reading; what is unknown is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    /// Active power in W: + import (consumption), - export.
    pub power_w: Option<f64>,
    /// Cumulative import register in mWh.
    pub energy_import_mwh: Option<i64>,
    /// Cumulative export register in mWh.
    pub energy_export_mwh: Option<i64>,
    /// Voltage in V, total or single phase.
    pub voltage_v: Option<f64>,
    /// Current in A, total or single phase.
    pub current_a: Option<f64>,
    /// Power factor, -1 to 1.
    pub power_factor: Option<f64>,
    /// Mains frequency in Hz.
    pub frequency_hz: Option<f64>,
    /// L1 to L3, in this order; empty where the meter says nothing of phases.
    pub phases: Vec<Phase>,
}

/// The measures of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    /// Active power in W: + import, - export.
    pub power_w: Option<f64>,
    /// Voltage in V against neutral.
    pub voltage_v: Option<f64>,
    /// Current in A.
    pub current_a: Option<f64>,
}

// === impl TsSource ===

impl TsSource {
    /// The word of the database and the APIs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Arrival => "arrival",
        }
    }
}

// === impl Measures ===

impl Measures {
    /// True where nothing at all was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.power_w.is_none()
            && self.energy_import_mwh.is_none()
            && self.energy_export_mwh.is_none()
            && self.voltage_v.is_none()
            && self.current_a.is_none()
            && self.power_factor.is_none()
            && self.frequency_hz.is_none()
            && self.phases.iter().all(Phase::is_empty)
    }
}

// === impl Phase ===

impl Phase {
    /// True where nothing was measured on this phase.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.power_w.is_none() && self.voltage_v.is_none() && self.current_a.is_none()
    }
}
