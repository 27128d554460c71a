//! Sparkplug B: `spBv1.0/<group>/<type>/<node>[/<device>]`, protobuf. A BIRTH names all metrics; DATA may give only their
//! aliases, so this family needs a memory and a subscription of its own.

mod payload;

use wattline_reading::limits::refuse;
use wattline_reading::{READINGS_PER_MESSAGE_MAX, Reason};

use super::names::{Meaning, Named, Units, with_folders};
use super::prelude::*;
use crate::memory::{self, Memory};
use payload::{Metric, Payload};

pub(super) const FAMILY: Family = Family {
    name: "sparkplug",
    title: "Sparkplug B",
    routes: &[("spBv1.0/+/+/+", "sparkplug/{2}/{4}"), ("spBv1.0/+/+/+/+", "sparkplug/{2}/{4}/{5}")],
    reads: "metrics by their common names, also below folders (`Meter1/Active Power` → channel `Meter1`; \
            `Energy/Import kWh` → none); `is_historical` ones at their own time; of DATA without type or unit those of its \
            BIRTH",
    units: "the property `engUnit`, or by the names; else W, V, A; energies without unit need the route's `energy_unit`",
    sign: "+ import",
    time: "a metric's own timestamp, else the payload's",
    documents: &[
        "https://sparkplug.eclipse.org/specification/version/3.0/documents/sparkplug-specification-3.0.0.pdf",
    ],
    decode: Decode::WithMemory(decode),
    ..NO_FAMILY
};

/// A metric that is a measure.
struct Item {
    channel: String,
    time: DeviceTime,
    name: String,
    meaning: Meaning,
    value: Json<'static>,
}

fn decode(message: &Message<'_>, memory: &mut Memory) -> Outcome {
    let topic = message.topic;
    let device = format!("{}/{}", topic.level(2), topic.from(4));
    if topic.level(2) == "STATE" {
        return Err(Ignored::Status.into());
    }
    match topic.level(3) {
        "NBIRTH" | "DBIRTH" | "NDATA" | "DDATA" => {}
        "NCMD" | "DCMD" => return Err(Ignored::Command.into()),
        "NDEATH" | "DDEATH" => return Err(Ignored::Status.into()),
        _ => return Err(Stop::NotThisFamily),
    }
    if message.payload.is_empty() {
        return Err(Ignored::Empty.into());
    }
    let payload = Payload::parse(message.payload).map_err(Stop::malformed)?;
    if topic.level(3).ends_with("BIRTH") {
        learn(&payload, &device, memory);
    }
    let mut items = Vec::new();
    for metric in &payload.metrics {
        items.extend(item(metric, &payload, &device, memory)?);
    }
    drafts(&items, Units::of_people(message.options))?.or_ignore(Ignored::OtherQuantity)
}

fn learn(payload: &Payload, device: &str, memory: &mut Memory) {
    memory.begin(device);
    for metric in &payload.metrics {
        if let Some(name) = &metric.name {
            let unit = metric.unit().and_then(Unit::of_word);
            let known = memory::Metric { name: name.clone(), datatype: metric.datatype, unit };
            memory.learn(device, metric.alias, known);
        }
    }
}

/// What a metric says, with what its BIRTH said of it; none where it is no measure or has no value.
fn item(metric: &Metric, payload: &Payload, device: &str, memory: &Memory) -> Result<Option<Item>, Stop> {
    let named = metric.name.as_deref().filter(|name| !name.is_empty());
    let (name, known) = match (named, metric.alias) {
        (Some(name), Some(alias)) => {
            (name, memory.by_alias(device, alias).filter(|known| known.name == name))
        }
        (Some(name), None) => (name, memory.by_name(device, name)),
        (None, Some(alias)) => {
            let known = memory.by_alias(device, alias).ok_or_else(|| {
                let detail = format!("the alias {alias} of {device} has no BIRTH that names it");
                Stop::Reject(refuse(Reason::AliasUnknown, detail))
            })?;
            (known.name.as_str(), Some(known))
        }
        (None, None) => return Ok(None),
    };
    let Some(value) = metric.value(known.and_then(|known| known.datatype)) else { return Ok(None) };
    if ["Properties/", "Node Control/", "Node Info/"].iter().any(|folder| name.starts_with(folder)) {
        return Ok(None);
    }
    let (channel, meaning) = with_folders(name);
    let Some(mut meaning) = meaning else { return Ok(None) };
    let told = metric.unit().and_then(Unit::of_word);
    meaning.unit = told.or_else(|| known.and_then(|known| known.unit)).or(meaning.unit);
    let millis = metric.timestamp.or(payload.timestamp);
    let time = millis.map_or(DeviceTime::Absent, |millis| DeviceTime::from_epoch(&millis.to_string(), -3));
    let value = Json::Text(value.into());
    Ok(Some(Item { channel, time, name: name.to_owned(), meaning, value }))
}

/// A draft for each channel and instant, in the order of the payload.
fn drafts(items: &[Item], units: Units) -> Result<Drafts, Stop> {
    let mut found: Vec<(Draft, Named<'_>)> = Vec::new();
    for Item { channel, time, name, meaning, value } in items {
        let same = |(draft, _): &(Draft, Named<'_>)| draft.channel == *channel && draft.time == *time;
        let index = match found.iter().rposition(same) {
            Some(index) => index,
            None if found.len() >= READINGS_PER_MESSAGE_MAX => {
                let detail = format!("more than {READINGS_PER_MESSAGE_MAX} readings in one message");
                return Err(refuse(Reason::TooManyReadings, detail).into());
            }
            None => {
                found.push((Draft::of(channel.clone(), time.clone()), Named::new(units)));
                found.len() - 1
            }
        };
        if let Some((_, named)) = found.get_mut(index) {
            named.take_as(meaning, name, value);
        }
    }
    let mut drafts = Drafts::default();
    for (mut draft, named) in found {
        named.put(&mut draft, &mut drafts.omitted);
        drafts.drafts.push(draft);
    }
    Ok(drafts)
}
