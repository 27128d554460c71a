//! What will be sent, decided before the first message: every reading, every disturbance, and therefore every
//! outcome, from a seed.

use serde::{Deserialize, Serialize};
use wattline_reading::{Reason, Timestamp};

use crate::physics::noise;

/// What tells one use of the noise from another.
const OFFSETS: u64 = 0x0ff5;
const DISTURBANCES: u64 = 0xd157;

/// Everything that a run publishes follows from these values.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The world: homes, weather, disturbances.
    pub seed: u64,
    /// Meter ids are `<prefix>-00000` and so on.
    pub prefix: String,
    /// How many meters.
    pub meters: u32,
    /// How many readings each.
    pub readings: u32,
    /// From one reading of a meter to its next.
    pub interval_ms: i64,
    /// Before the first reading; whole ms.
    #[serde(serialize_with = "as_text")]
    pub start: Timestamp,
    /// Share of homes with three phases, 0 to 1.
    pub three_phase_share: f32,
    /// What is done to the stream.
    pub disturbances: Disturbances,
    /// A message is filled up to so many bytes.
    pub payload_bytes: u16,
    /// The meters speak as the devices of all families do ([`crate::dialect`]), and nothing disturbs them.
    pub mixed: bool,
}

/// How many of the readings meet which disturbance, in percent. A reading meets at most one.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Disturbances {
    /// Sent a second time, some readings later.
    pub duplicate_percent: f64,
    /// Sent some readings late.
    pub out_of_order_percent: f64,
    /// Followed by a message that is no reading.
    pub garbage_percent: f64,
    /// Followed by another reading of the same instant with other values.
    pub conflict_percent: f64,
    /// Sent as two messages of one instant.
    pub split_percent: f64,
}

/// What happens to one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing.
    None,
    /// Sent again after this many further readings of its meter.
    Duplicate(u32),
    /// Sent after this many further readings of its meter.
    OutOfOrder(u32),
    /// A message that is no reading follows.
    Garbage(Garbage),
    /// The same instant with other values follows.
    Conflict,
    /// Two messages of one instant.
    Split,
}

/// A message that can't become a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// The telegram ends in the middle.
    Truncated,
    /// Not JSON at all.
    Text,
    /// JSON without any measure.
    NoMeasure,
    /// A buffer of a device whose clock is a year ahead.
    Future,
    /// A gigawatt.
    Power,
}

// === impl Plan ===

impl Plan {
    /// The id of a meter.
    #[must_use]
    pub fn meter_id(&self, meter: u32) -> String {
        format!("{}-{meter:05}", self.prefix)
    }

    /// The MQTT topic of a meter.
    #[must_use]
    pub fn topic(&self, meter: u32) -> String {
        format!("wattline/{}/reading", self.meter_id(meter))
    }

    /// When a meter's reading of this index is taken. Meters don't tick together.
    #[must_use]
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "an interval is positive and below years"
    )]
    pub fn ts(&self, meter: u32, index: u32) -> Timestamp {
        let offset_ms = noise::word(self.seed ^ OFFSETS, i64::from(meter)) % self.interval_ms as u64;
        let ms = i64::from(index + 1) * self.interval_ms + offset_ms as i64;
        Timestamp::from_micros(self.start.micros() + ms * 1000)
    }

    /// What happens to one reading.
    #[must_use]
    pub fn disturbance(&self, meter: u32, index: u32) -> Disturbance {
        let draw = noise::word(self.seed ^ DISTURBANCES, (i64::from(meter) << 32) | i64::from(index));
        #[expect(clippy::cast_precision_loss, reason = "a draw of a million")]
        let mut percent = (draw % 1_000_000) as f64 / 10_000.0;
        let mut within = |share: f64| {
            let hit = percent < share;
            percent -= share;
            hit
        };
        let later = 1 + (draw >> 40) as u32 % 8;
        if within(self.disturbances.duplicate_percent) {
            Disturbance::Duplicate(later)
        } else if within(self.disturbances.out_of_order_percent) {
            Disturbance::OutOfOrder(later)
        } else if within(self.disturbances.garbage_percent) {
            Disturbance::Garbage(Garbage::ALL[(draw >> 50) as usize % Garbage::ALL.len()])
        } else if within(self.disturbances.conflict_percent) {
            Disturbance::Conflict
        } else if within(self.disturbances.split_percent) {
            Disturbance::Split
        } else {
            Disturbance::None
        }
    }
}

// === impl Disturbances ===

impl Disturbances {
    /// The mix that every end-to-end run must stand.
    pub const USUAL: Self = Self {
        duplicate_percent: 1.0,
        out_of_order_percent: 1.0,
        garbage_percent: 0.5,
        conflict_percent: 0.2,
        split_percent: 1.0,
    };
}

// === impl Garbage ===

impl Garbage {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Truncated, Self::Text, Self::NoMeasure, Self::Future, Self::Power];

    /// The payload; it names the meter and the index, so that each one can be found again.
    #[must_use]
    pub fn payload(self, ts: Timestamp, meter_id: &str, index: u32) -> Vec<u8> {
        let ms = ts.micros() / 1000;
        let text = match self {
            Self::Truncated => format!("{{\"note\":\"{meter_id} {index}\",\"ts\":{ms},\"power_w\":12"),
            Self::Text => format!("garbage {meter_id} {index}"),
            Self::NoMeasure => format!("{{\"note\":\"{meter_id} {index}\",\"ts\":{ms}}}"),
            Self::Future => {
                let ahead_ms = ms + 366 * 86_400_000;
                let reading =
                    format!("{{\"note\":\"{meter_id} {index}\",\"ts\":{ahead_ms},\"power_w\":100.0}}");
                format!("[{reading},{{\"ts\":{ms},\"power_w\":100.0}}]")
            }
            Self::Power => format!("{{\"note\":\"{meter_id} {index}\",\"ts\":{ms},\"power_w\":1e9}}"),
        };
        text.into_bytes()
    }

    /// The word that its dead letter must carry.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Truncated | Self::Text => Reason::Malformed,
            Self::NoMeasure => Reason::NoMeasure,
            Self::Future => Reason::TsFuture,
            Self::Power => Reason::PowerImplausible,
        }
    }
}

fn as_text<S: serde::Serializer>(ts: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ts)
}
