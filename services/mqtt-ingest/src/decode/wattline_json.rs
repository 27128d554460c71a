//! Wattline's own JSON: one object or an array of them (buffered readings). `ts` is RFC 3339 or an epoch number;
//! all but one measure are optional; unknown fields are ignored; a number may be written as text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wattline_reading::limits::{Refusal, refuse};
use wattline_reading::{Measures, Phase, READINGS_PER_MESSAGE_MAX, Reading, Reason, Timestamp, TsSource};

use super::number::{Number, register_wh};
use super::time::device_time;
use super::{Decoded, Ignored, Input};

/// Decodes one message for the meter `meter_id`.
pub(super) fn decode(input: &Input<'_>, meter_id: &str) -> Decoded {
    let payload = input.payload.trim_ascii();
    if payload.is_empty() {
        return Decoded::Ignore(Ignored::Empty);
    }
    match decode_payload(payload, input, meter_id) {
        Ok(decoded) => decoded,
        Err(refusal) => Decoded::Reject(refusal),
    }
}

fn decode_payload(payload: &[u8], input: &Input<'_>, meter_id: &str) -> Result<Decoded, Refusal> {
    let objects = parse(payload)?;
    let several = objects.len() > 1;
    let mut readings = Vec::with_capacity(objects.len());
    let mut without_time = false;
    for (index, object) in objects.into_iter().enumerate() {
        let decoded = decode_object(object, input, meter_id).map_err(|mut refusal| {
            if several {
                refusal.detail = format!("reading {index}: {}", refusal.detail);
            }
            refusal
        })?;
        without_time |= decoded.ts_source == TsSource::Arrival;
        readings.push(decoded);
    }
    if input.retained && without_time {
        return Ok(Decoded::Ignore(Ignored::RetainedWithoutTime));
    }
    Ok(Decoded::Readings(readings))
}

fn parse(payload: &[u8]) -> Result<Vec<Object<'_>>, Refusal> {
    let malformed = |error: serde_json::Error| refuse(Reason::Malformed, format!("JSON: {error}"));
    if !payload.starts_with(b"[") {
        return Ok(vec![serde_json::from_slice(payload).map_err(malformed)?]);
    }
    let Objects { objects, count } = serde_json::from_slice(payload).map_err(malformed)?;
    if count > READINGS_PER_MESSAGE_MAX {
        let detail = format!("{count} readings in one message, at most {READINGS_PER_MESSAGE_MAX}");
        return Err(refuse(Reason::TooManyReadings, detail));
    }
    if objects.is_empty() {
        return Err(refuse(Reason::NoMeasure, "the array is empty".to_owned()));
    }
    Ok(objects)
}

fn decode_object(object: Object<'_>, input: &Input<'_>, meter_id: &str) -> Result<Reading, Refusal> {
    let device_ts = device_time(object.ts)?;
    Ok(Reading {
        meter_id: meter_id.to_owned(),
        ts: device_ts.unwrap_or(input.received_at),
        received_at: input.received_at,
        ts_source: device_ts.map_or(TsSource::Arrival, |_| TsSource::Device),
        measures: Measures {
            power_w: object.power_w.0,
            energy_import_mwh: register_wh(object.energy_import_wh, "energy_import_wh")?,
            energy_export_mwh: register_wh(object.energy_export_wh, "energy_export_wh")?,
            voltage_v: object.voltage_v.0,
            current_a: object.current_a.0,
            power_factor: object.power_factor.0,
            frequency_hz: object.frequency_hz.0,
            phases: object.phases.unwrap_or_default().into_iter().map(Phase::from).collect(),
        },
        register_epoch: None::<Timestamp>,
        redelivered: input.redelivered,
    })
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(default)]
    power_w: Number,
    #[serde(borrow)]
    energy_import_wh: Option<&'a RawValue>,
    #[serde(borrow)]
    energy_export_wh: Option<&'a RawValue>,
    #[serde(default)]
    voltage_v: Number,
    #[serde(default)]
    current_a: Number,
    #[serde(default)]
    power_factor: Number,
    #[serde(default)]
    frequency_hz: Number,
    phases: Option<Vec<PhaseObject>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PhaseObject {
    power_w: Number,
    voltage_v: Number,
    current_a: Number,
}

/// The objects of an array, counted to its end but kept only up to the bound.
struct Objects<'a> {
    objects: Vec<Object<'a>>,
    count: usize,
}

// === impl PhaseObject ===

impl From<PhaseObject> for Phase {
    fn from(phase: PhaseObject) -> Self {
        Self { power_w: phase.power_w.0, voltage_v: phase.voltage_v.0, current_a: phase.current_a.0 }
    }
}

// === impl Objects ===

impl<'de: 'a, 'a> Deserialize<'de> for Objects<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ObjectsVisitor)
    }
}

struct ObjectsVisitor;

impl<'de> Visitor<'de> for ObjectsVisitor {
    type Value = Objects<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of readings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Objects<'de>, A::Error> {
        let mut objects = Vec::new();
        while objects.len() < READINGS_PER_MESSAGE_MAX {
            match sequence.next_element()? {
                Some(object) => objects.push(object),
                None => break,
            }
        }
        let mut count = objects.len();
        while count >= READINGS_PER_MESSAGE_MAX && sequence.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Objects { objects, count })
    }
}

#[cfg(test)]
#[path = "wattline_json_tests.rs"]
mod tests;
