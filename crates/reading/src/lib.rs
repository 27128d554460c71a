//! The reading: what one meter measured at one instant, its limits, and its form on the wire.
//!
//! Everything here is pure: no clock but [`Timestamp::now`], no I/O. Units are in the names: SI units, or
//! milliwatt-hours for registers.

pub mod dead_letter;
pub mod decimal;
pub mod limits;
pub mod measures;
pub mod merge;
pub mod meter_id;
pub mod partition;
pub mod register;
pub mod timestamp;
pub mod topics;
pub mod wire;

pub use dead_letter::DeadLetter;
pub use decimal::Decimal;
pub use limits::{Limits, Reason};
pub use measures::{MEASURES, Measure, Measures, PHASE_MEASURES, Phase};
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
    /// What mqtt-ingest knows of the meter; with few readings only, and never part of what was measured.
    pub meter_info: Option<Box<MeterInfo>>,
}

/// What the configuration says of a meter, for the registry.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterInfo {
    /// The topic filter of the route that takes its messages.
    pub route: String,
    /// The device family that decodes them.
    pub family: String,
    /// The most that it can take or give, in W, where the route says it.
    pub max_power_w: Option<f64>,
}

/// Where a reading's event time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TsSource {
    /// The device's own clock.
    #[default]
    Device,
    /// The instant of arrival at mqtt-ingest.
    Arrival,
}

// === impl Reading ===

impl Reading {
    /// A reading that arrived when it was measured, by the device's own clock. What differs is set on it; where all
    /// must be decided, write the struct.
    #[must_use]
    pub fn new(meter_id: impl Into<String>, ts: Timestamp, measures: Measures) -> Self {
        Self {
            meter_id: meter_id.into(),
            ts,
            received_at: ts,
            ts_source: TsSource::Device,
            measures,
            register_epoch: None,
            redelivered: false,
            meter_info: None,
        }
    }
}

// === impl TsSource ===

impl TsSource {
    /// The word of the database and the APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
