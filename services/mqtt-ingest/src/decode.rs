//! What a message is: readings, nothing to store, or a refusal. Pure: no I/O, no clock, no panic.
//!
//! Each device family is a module of its own below; [`Decoder`] names it in the configuration.

pub mod number;
pub mod time;
mod wattline_json;

use serde::Deserialize;
use wattline_reading::limits::{LeftOut, Limits, refuse};
use wattline_reading::{Reading, Reason, Timestamp, limits::Refusal};

use crate::route::Routes;

/// One message, as a decoder sees it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The topic it was published on.
    pub topic: &'a str,
    /// The payload as it came.
    pub payload: &'a [u8],
    /// The broker delivered it with the RETAIN flag: its age is unknown.
    pub retained: bool,
    /// The broker delivered it with the DUP flag.
    pub redelivered: bool,
    /// Arrival at this process.
    pub received_at: Timestamp,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// At least one reading.
    Readings(Vec<Reading>),
    /// Nothing to store, and no error.
    Ignore(Ignored),
    /// It goes to the dead letters, whole.
    Reject(Refusal),
}

/// Why a message holds nothing to store although nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// A retained message without the device's own time: it may be of any age.
    RetainedWithoutTime,
    /// An empty payload: how MQTT clears a retained message.
    Empty,
}

/// The device family that a route's messages come from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Wattline's own JSON: one object or an array of them.
    WattlineJson,
}

/// What is judged by: routes, plausible limits, and the largest payload.
#[derive(Debug)]
pub struct Judge {
    /// Topic filter to decoder.
    pub routes: Routes,
    /// What is plausible.
    pub limits: Limits,
    /// Largest payload that is decoded; a larger one is a dead letter.
    pub payload_bytes_max: usize,
}

// === impl Judge ===

impl Judge {
    /// Finds the route, decodes, and checks each reading: a message is taken whole or refused whole.
    /// `left_out` hears of each secondary measure that was not plausible.
    pub fn decide(&self, input: &Input<'_>, left_out: impl FnMut(LeftOut)) -> Decoded {
        if input.payload.len() > self.payload_bytes_max {
            let detail = format!(
                "the payload has {} bytes, at most {} (mqtt.payload_bytes_max)",
                input.payload.len(),
                self.payload_bytes_max
            );
            return Decoded::Reject(refuse(Reason::PayloadTooLarge, detail));
        }
        let Some(route) = self.routes.find(input.topic) else {
            let detail = format!("no route takes the topic {:?}", input.topic);
            return Decoded::Reject(refuse(Reason::NoRoute, detail));
        };
        let meter_id = route.meter_id(input.topic);
        let decoded = match route.decoder {
            Decoder::WattlineJson => wattline_json::decode(input, &meter_id),
        };
        self.check(decoded, left_out)
    }

    fn check(&self, decoded: Decoded, mut left_out: impl FnMut(LeftOut)) -> Decoded {
        let Decoded::Readings(mut readings) = decoded else {
            return decoded;
        };
        let several = readings.len() > 1;
        for (index, reading) in readings.iter_mut().enumerate() {
            if let Err(mut refusal) = self.limits.check(reading, &mut left_out) {
                if several {
                    refusal.detail = format!("reading {index}: {}", refusal.detail);
                }
                return Decoded::Reject(refusal);
            }
        }
        Decoded::Readings(readings)
    }
}

// === impl Ignored ===

impl Ignored {
    /// Every one of them, in the order of the declaration.
    pub const ALL: [Self; 2] = [Self::RetainedWithoutTime, Self::Empty];

    /// The word that metrics carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetainedWithoutTime => "retained_without_time",
            Self::Empty => "empty",
        }
    }
}

impl From<Refusal> for Decoded {
    fn from(refusal: Refusal) -> Self {
        Self::Reject(refusal)
    }
}
