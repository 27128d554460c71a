//! Wattline's own JSON: one object or an array of them (buffered readings). `ts` is RFC 3339 or an epoch number;
//! all but one measure are optional; unknown fields are ignored; a number may be written as text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{Measures, Phase, READINGS_PER_MESSAGE_MAX, Reading, Reason, Timestamp, TsSource};

use super::draft::Stop;
use super::number::{Number, register_wh};
use super::resolve::adjust;
use super::time::{DeviceTime, device_time};
use super::{Ignored, Input};
use crate::route::Route;

/// Decodes one message of a route.
///
/// # Errors
/// Why there is no reading.
pub(super) fn decode(input: &Input<'_>, route: &Route, limits: &Limits) -> Result<Vec<Reading>, Stop> {
    let payload = input.payload.trim_ascii();
    if payload.is_empty() {
        return Err(Ignored::Empty.into());
    }
    let objects = parse(payload)?;
    let context = Context { input, route, limits, meter_id: route.meter_id(input.topic, None, "") };
    let several = objects.len() > 1;
    let mut readings = Vec::with_capacity(objects.len());
    let mut without_time = false;
    for (index, object) in objects.into_iter().enumerate() {
        let decoded = context.decode_object(object).map_err(|mut refusal| {
            if several {
                refusal.detail = format!("reading {index}: {}", refusal.detail);
            }
            refusal
        })?;
        without_time |= decoded.ts_source == TsSource::Arrival;
        readings.push(decoded);
    }
    if input.retained && without_time {
        return Err(Ignored::RetainedWithoutTime.into());
    }
    Ok(readings)
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

/// What all objects of a message share.
struct Context<'a> {
    input: &'a Input<'a>,
    route: &'a Route,
    limits: &'a Limits,
    meter_id: String,
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

// === impl Context ===

impl Context<'_> {
    fn decode_object(&self, object: Object<'_>) -> Result<Reading, Refusal> {
        let (ts, ts_source) = self.time(object.ts)?;
        let mut measures = Measures {
            power_w: object.power_w.0,
            energy_import_mwh: register_wh(object.energy_import_wh, "energy_import_wh")?,
            energy_export_mwh: register_wh(object.energy_export_wh, "energy_export_wh")?,
            voltage_v: object.voltage_v.0,
            current_a: object.current_a.0,
            power_factor: object.power_factor.0,
            frequency_hz: object.frequency_hz.0,
            phases: object.phases.unwrap_or_default().into_iter().map(Phase::from).collect(),
        };
        adjust(&mut measures, self.route);
        Ok(Reading {
            meter_id: self.meter_id.clone(),
            ts,
            received_at: self.input.received_at,
            ts_source,
            measures,
            register_epoch: None,
            redelivered: self.input.redelivered,
        })
    }

    fn time(&self, raw: Option<&RawValue>) -> Result<(Timestamp, TsSource), Refusal> {
        let received_at = self.input.received_at;
        if self.route.timing.is_plain() {
            let device_ts = device_time(raw)?;
            return Ok(device_ts.map_or((received_at, TsSource::Arrival), |ts| (ts, TsSource::Device)));
        }
        let time = raw.map_or(DeviceTime::Absent, |raw| match raw.get().trim() {
            "null" => DeviceTime::Absent,
            text => DeviceTime::from_text(text.trim_matches('"')),
        });
        self.route.timing.resolve(&time, received_at, self.limits)
    }
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
