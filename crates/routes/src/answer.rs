//! What was made of a message, as one JSON object: `wattlinectl decode` prints it, and the tests compare it.

use serde::Serialize;
use wattline_formats::{Memory, Omission};
use wattline_reading::register::to_wh;
use wattline_reading::{Measures, Phase, Reading};

use crate::{Decoded, Input, Judge};

/// What ingest makes of one message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// At least one reading.
    Readings {
        /// The filter of the route that took it.
        route: String,
        /// The decoder.
        decoder: &'static str,
        /// In the order of the payload.
        readings: Vec<Shown>,
        /// What was left out.
        left_out: Vec<LeftOut>,
    },
    /// Nothing to store, and no error.
    Ignore {
        /// The word.
        reason: &'static str,
        /// The filter of the route that took it.
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
        /// What was left out.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<LeftOut>,
    },
    /// A dead letter.
    Reject {
        /// The word.
        reason: &'static str,
        /// What is wrong, for a person.
        detail: String,
        /// The filter of the route that took it.
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
}

/// A field that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    field: String,
    /// The word.
    reason: &'static str,
}

/// A reading in the names and units of the design; what is unknown is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    meter_id: String,
    ts: String,
    ts_source: &'static str,
    #[serde(flatten)]
    measures: ShownMeasures,
    #[serde(skip_serializing_if = "Option::is_none")]
    register_epoch: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownMeasures {
    #[serde(skip_serializing_if = "Option::is_none")]
    power_w: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_import_wh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_export_wh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voltage_v: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_a: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    power_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_hz: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phases: Vec<ShownPhase>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShownPhase {
    #[serde(skip_serializing_if = "Option::is_none")]
    power_w: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voltage_v: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_a: Option<f64>,
}

/// Exactly what ingest would make of a message.
#[must_use]
pub fn answer(judge: &Judge, input: &Input<'_>, memory: &mut Memory) -> Answer {
    let mut left_out = Vec::new();
    let decoded = judge.decide(input, memory, |omission| left_out.push(LeftOut::from(omission)));
    let route = judge.routes.find(input.topic);
    let filter = route.map(|route| route.filter.clone());
    match decoded {
        Decoded::Readings(readings) => Answer::Readings {
            route: filter.unwrap_or_default(),
            decoder: route.map_or("", |route| route.family.name),
            readings: readings.iter().map(Shown::from).collect(),
            left_out,
        },
        Decoded::Ignore(why) => Answer::Ignore { reason: why.as_str(), route: filter, left_out },
        Decoded::Reject(refusal) => {
            Answer::Reject { reason: refusal.reason.as_str(), detail: refusal.detail, route: filter }
        }
    }
}

impl From<&Omission> for LeftOut {
    fn from(omission: &Omission) -> Self {
        Self { field: omission.field.to_string(), reason: omission.reason.as_str() }
    }
}

impl From<&Reading> for Shown {
    fn from(reading: &Reading) -> Self {
        Self {
            meter_id: reading.meter_id.clone(),
            ts: reading.ts.to_string(),
            ts_source: reading.ts_source.as_str(),
            measures: ShownMeasures::from(&reading.measures),
            register_epoch: reading.register_epoch.map(|epoch| epoch.to_string()),
        }
    }
}

impl From<&Measures> for ShownMeasures {
    fn from(measures: &Measures) -> Self {
        Self {
            power_w: measures.power_w,
            energy_import_wh: measures.energy_import_mwh.map(to_wh),
            energy_export_wh: measures.energy_export_mwh.map(to_wh),
            voltage_v: measures.voltage_v,
            current_a: measures.current_a,
            power_factor: measures.power_factor,
            frequency_hz: measures.frequency_hz,
            phases: measures.phases.iter().map(ShownPhase::from).collect(),
        }
    }
}

impl From<&Phase> for ShownPhase {
    fn from(phase: &Phase) -> Self {
        Self { power_w: phase.power_w, voltage_v: phase.voltage_v, current_a: phase.current_a }
    }
}
