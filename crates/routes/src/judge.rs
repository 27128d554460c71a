//! What a message is: readings, nothing to store, or a refusal.

use wattline_formats::draft::Stop;
use wattline_formats::message::Message;
use wattline_formats::{Ignored, Omission, Omitted, Topic};
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{Reading, Reason};

use crate::input::Input;
use crate::memory::Memory;
use crate::resolve;
use crate::route::{Route, Routes};

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

/// [`Judge::payload_bytes_max`] where the configuration doesn't say another.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

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
    /// Finds the route, decodes, and checks each reading: a message is taken whole or refused whole. `memory` is
    /// what is known of earlier messages; `omitted` hears of each field that was left out.
    pub fn decide(
        &self,
        input: &Input<'_>,
        memory: &mut Memory,
        mut omitted: impl FnMut(&Omission),
    ) -> Decoded {
        let Some(route) = self.routes.find(input.topic) else {
            let detail = format!("no route takes the topic {:?}", input.topic);
            return Decoded::Reject(refuse(Reason::NoRoute, detail));
        };
        if (route.family.is_status)(Topic(input.topic)) {
            return Decoded::Ignore(Ignored::Status);
        }
        if input.payload.len() > self.payload_bytes_max {
            let detail = format!(
                "the payload has {} bytes, at most {} (mqtt.payload_bytes_max)",
                input.payload.len(),
                self.payload_bytes_max
            );
            return Decoded::Reject(refuse(Reason::PayloadTooLarge, detail));
        }
        let decoded = match self.decode(route, input, memory, &mut omitted) {
            Ok(readings) => Decoded::Readings(readings),
            Err(Stop::Ignore(why, left_out)) => {
                left_out.iter().for_each(&mut omitted);
                Decoded::Ignore(why)
            }
            Err(Stop::NotThisFamily) => Decoded::Reject(route.stranger(input.topic)),
            Err(Stop::Reject(refusal)) => Decoded::Reject(refusal),
        };
        let mut decoded = self.check(decoded, route, omitted);
        if let Decoded::Readings(readings) = &mut decoded {
            memory.told.tell(readings, input.received_at, || route.info());
        }
        decoded
    }

    fn decode(
        &self,
        route: &Route,
        input: &Input<'_>,
        memory: &mut Memory,
        omitted: &mut impl FnMut(&Omission),
    ) -> Result<Vec<Reading>, Stop> {
        let topic = Topic(input.topic);
        let message = Message { topic, payload: input.payload, options: &route.options };
        let drafts = route.decoder.decode(&message, &mut memory.families)?;
        drafts.omitted.iter().for_each(omitted);
        resolve::readings(drafts, route, input, &self.limits)
    }

    fn check(&self, decoded: Decoded, route: &Route, mut omitted: impl FnMut(&Omission)) -> Decoded {
        let Decoded::Readings(mut readings) = decoded else {
            return decoded;
        };
        let several = readings.len() > 1;
        for (index, reading) in readings.iter_mut().enumerate() {
            let left_out = |field: wattline_reading::limits::LeftOut| {
                omitted(&Omission { field: field.as_str().into(), reason: Omitted::Implausible });
            };
            let checked = self.limits.check(reading, left_out);
            if let Err(refusal) = checked.and_then(|()| route.check_power(&reading.measures)) {
                return Decoded::Reject(if several { resolve::of_reading(index, refusal) } else { refusal });
            }
        }
        match resolve::agree(&readings) {
            Ok(()) => Decoded::Readings(readings),
            Err(refusal) => Decoded::Reject(refusal),
        }
    }
}

impl From<Refusal> for Decoded {
    fn from(refusal: Refusal) -> Self {
        Self::Reject(refusal)
    }
}
