//! What was made of a message, as one JSON object: `wattlinectl decode` prints it, and the tests compare it.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use wattline_formats::Omission;
use wattline_reading::{MEASURES, Measure, Measures, PHASE_MEASURES, Phase, Reading};

use crate::{Decoded, Input, Judge, Memory};

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
    #[serde(flatten, serialize_with = "show_measures")]
    measures: Measures,
    #[serde(skip_serializing_if = "Option::is_none")]
    register_epoch: Option<String>,
}

/// Those that are there, by their names.
struct ShownPhase<'a>(&'a Phase);

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
            measures: reading.measures.clone(),
            register_epoch: reading.register_epoch.map(|epoch| epoch.to_string()),
        }
    }
}

fn show_measures<S: Serializer>(measures: &Measures, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    show(&MEASURES, measures, &mut map)?;
    if !measures.phases.is_empty() {
        map.serialize_entry("phases", &measures.phases.iter().map(ShownPhase).collect::<Vec<_>>())?;
    }
    map.end()
}

fn show<T, M: SerializeMap>(table: &[Measure<T>], of: &T, map: &mut M) -> Result<(), M::Error> {
    for measure in table {
        if let Some(value) = (measure.get)(of) {
            map.serialize_entry(measure.name, &value)?;
        }
    }
    Ok(())
}

impl Serialize for ShownPhase<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        show(&PHASE_MEASURES, self.0, &mut map)?;
        map.end()
    }
}
