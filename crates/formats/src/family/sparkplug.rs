//! Sparkplug B: `spBv1.0/<group>/<type>/<node>[/<device>]`, protobuf. A BIRTH names all metrics; DATA may give only their
//! aliases, so this family needs a memory and a subscription of its own.

mod payload;

use wattline_reading::limits::refuse;
use wattline_reading::{READINGS_PER_MESSAGE_MAX, Reason};

use super::prelude::*;
use crate::memory::Memory;
use payload::{Metric, Payload};

pub(super) const FAMILY: Family = Family {
    name: "sparkplug",
    title: "Sparkplug B",
    routes: &[("spBv1.0/+/+/+", "{2}/{4}"), ("spBv1.0/+/+/+/+", "{2}/{4}/{5}")],
    reads: "metrics by their common names, also below folders (`Meter1/Active Power` → channel `Meter1`); \
            `is_historical` ones at their own time",
    units: "by the names; else W, V, A; energies without unit need the route's `energy_unit`",
    sign: "+ import",
    time: "a metric's own timestamp, else the payload's",
    documents: &[
        "https://sparkplug.eclipse.org/specification/version/3.0/documents/sparkplug-specification-3.0.0.pdf",
    ],
    decode: Decode::WithMemory(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>, memory: &mut Memory) -> Outcome {
    let topic = message.topic;
    let device = format!("{}/{}", topic.level(2), topic.from(4));
    match topic.level(3) {
        "NBIRTH" | "DBIRTH" => {}
        "NDATA" | "DDATA" => {}
        "NDEATH" | "DDEATH" | "STATE" => return Err(Ignored::Status.into()),
        "NCMD" | "DCMD" => return Err(Ignored::Command.into()),
        _ => return Err(Ignored::Status.into()),
    }
    if message.payload.is_empty() {
        return Err(Ignored::Empty.into());
    }
    let payload = Payload::parse(message.payload).map_err(Stop::malformed)?;
    if topic.level(3).ends_with("BIRTH") {
        memory.begin(&device);
        for metric in &payload.metrics {
            if let (Some(name), Some(alias)) = (&metric.name, metric.alias) {
                memory.learn(&device, alias, name);
            }
        }
    }
    let mut drafts = Drafts::default();
    for metric in &payload.metrics {
        take(metric, &payload, &device, memory, message, &mut drafts)?;
    }
    drafts.or_ignore(Ignored::OtherQuantity)
}

fn take(
    metric: &Metric,
    payload: &Payload,
    device: &str,
    memory: &Memory,
    message: &Message<'_>,
    drafts: &mut Drafts,
) -> Result<(), Stop> {
    let known = |alias: u64| memory.name(device, alias);
    let name = match (&metric.name, metric.alias) {
        (Some(name), _) if !name.is_empty() => name.as_str(),
        (_, Some(alias)) => known(alias).ok_or_else(|| {
            let detail = format!("the alias {alias} of {device} has no BIRTH that names it");
            Stop::Reject(refuse(Reason::AliasUnknown, detail))
        })?,
        _ => return Ok(()),
    };
    let Some(value) = metric.value() else { return Ok(()) };
    let (folder, field) = name.rsplit_once('/').unwrap_or(("", name));
    let folder =
        if matches!(folder, "Properties" | "Node Control" | "Node Info") { return Ok(()) } else { folder };
    let time = metric
        .timestamp
        .or(payload.timestamp)
        .map_or(DeviceTime::Absent, |millis| DeviceTime::from_epoch(&millis.to_string(), -3));
    let index = drafts.drafts.iter().rposition(|draft| draft.channel == folder && draft.time == time);
    let index = match index {
        Some(index) => index,
        None if drafts.drafts.len() >= READINGS_PER_MESSAGE_MAX => {
            let detail = format!("more than {READINGS_PER_MESSAGE_MAX} readings in one message");
            return Err(refuse(Reason::TooManyReadings, detail).into());
        }
        None => {
            drafts.drafts.push(Draft::of(folder.to_owned(), time));
            drafts.drafts.len() - 1
        }
    };
    let Drafts { drafts, omitted, .. } = drafts;
    match drafts.get_mut(index) {
        Some(draft) => {
            let value = Json::Text(value.into());
            super::names::take(field, &value, message.options.energy_unit, draft, omitted)
        }
        None => Ok(()),
    }
}
