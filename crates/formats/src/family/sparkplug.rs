//! Sparkplug B: `spBv1.0/<group>/<type>/<node>[/<device>]`, protobuf. A BIRTH names all metrics; DATA may give only their
//! aliases, so this family needs a memory and a subscription of its own.

mod payload;

use wattline_reading::limits::refuse;
use wattline_reading::{READINGS_PER_MESSAGE_MAX, Reason};

use super::names::{Meaning, Named, Units, with_folders};
use super::prelude::*;
use crate::memory::{self, Birth, Memory, Who};
use crate::unit::Told;
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

/// A message of a node or of one of its devices.
#[derive(Clone, Copy)]
struct Sender<'a> {
    who: Who<'a>,
    birth: Birth<'a>,
}

fn decode(message: &Message<'_>, memory: &mut Memory) -> Outcome {
    let topic = message.topic;
    if topic.level(2) == "STATE" {
        return Err(Ignored::Status.into());
    }
    let (kind, device) = (topic.level(3), topic.level(5));
    let node = format!("{}/{}", topic.level(2), topic.level(4));
    let who = Who { node: &node, device };
    match kind {
        "NBIRTH" | "NDATA" if device.is_empty() => {}
        "DBIRTH" | "DDATA" if !device.is_empty() => {}
        "NCMD" | "DCMD" => return Err(Ignored::Command.into()),
        "NDEATH" | "DDEATH" => {
            end(kind, message.payload, who, memory);
            return Err(Ignored::Status.into());
        }
        _ => return Err(Stop::NotThisFamily),
    }
    if message.payload.is_empty() {
        return Err(Ignored::Empty.into());
    }
    // A session begins with its NBIRTH, whatever can be read of it.
    match kind {
        "NBIRTH" => memory.begin_node(&node),
        "DBIRTH" => memory.begin(who),
        _ => {}
    }
    let payload = match Payload::parse(message.payload) {
        Ok(payload) => payload,
        Err(what) => {
            if kind.ends_with("BIRTH") {
                memory.end(who);
            }
            return Err(Stop::malformed(what));
        }
    };
    if kind.ends_with("BIRTH") {
        learn(&payload, who, memory);
    }
    let sender = Sender { who, birth: memory.birth(who) };
    if kind.ends_with("DATA") && matches!(sender.birth, Birth::Missing) {
        return Err(sender.ask("none came since that of its node"));
    }
    let mut items = Vec::new();
    for metric in &payload.metrics {
        items.extend(item(metric, &payload, sender)?);
    }
    drafts(&items, Units::of_people(message.options))?.or_ignore(Ignored::OtherQuantity)
}

/// What a node or a device said in its BIRTH ends with it.
fn end(kind: &str, payload: &[u8], who: Who<'_>, memory: &mut Memory) {
    if kind == "DDEATH" {
        memory.end(who);
    } else {
        let payload = Payload::parse(payload).ok();
        memory.end_node(who.node, payload.and_then(|payload| payload.session()));
    }
}

fn learn(payload: &Payload, who: Who<'_>, memory: &mut Memory) {
    if let (true, Some(session)) = (who.device.is_empty(), payload.session()) {
        memory.set_session(who.node, session);
    }
    for metric in &payload.metrics {
        if let Some(name) = &metric.name {
            let unit = Told::of(metric.unit());
            let known = memory::Metric { name: name.clone(), datatype: metric.datatype, unit };
            memory.learn(who, metric.alias, known);
        }
    }
}

/// What a metric says, with what its BIRTH said of it; none where it is no measure.
fn item(metric: &Metric, payload: &Payload, sender: Sender<'_>) -> Result<Option<Item>, Stop> {
    let birth = sender.birth;
    let named = metric.name.as_deref().filter(|name| !name.is_empty());
    let (name, known) = match (named, metric.alias) {
        (Some(name), _) => {
            let known = birth.by_name(name);
            if known.is_none() && birth.is_cut() {
                return Err(sender.ask(&format!("its BIRTH did not fit, and may say more of {name}")));
            }
            (name, known)
        }
        (None, Some(alias)) => {
            let known = birth
                .by_alias(alias)
                .ok_or_else(|| sender.ask(&format!("there is no BIRTH that names the alias {alias}")))?;
            (known.name.as_str(), Some(known))
        }
        (None, None) => return Ok(None),
    };
    if ["Properties/", "Node Control/", "Node Info/"].iter().any(|folder| name.starts_with(folder)) {
        return Ok(None);
    }
    let (channel, meaning) = with_folders(name);
    let Some(mut meaning) = meaning else { return Ok(None) };
    let told = Told::of(metric.unit()).or(known.map_or(Told::Nothing, |known| known.unit));
    match meaning.quantity.told(told) {
        Ok(unit) => meaning.unit = unit.or(meaning.unit),
        Err(why) => meaning.quantity = Not(why),
    }
    let millis = metric.timestamp.or(payload.timestamp);
    let time = millis.map_or(DeviceTime::Absent, |millis| DeviceTime::from_epoch(&millis.to_string(), -3));
    let value = metric.value(known.and_then(|known| known.datatype));
    let value = value.map_or(Json::Null, |text| Json::Text(text.into()));
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

// === impl Sender ===

impl Sender<'_> {
    /// A refusal for which the node is asked for its BIRTH.
    fn ask(self, why: &str) -> Stop {
        let Who { node, device } = self.who;
        let slash = if device.is_empty() { "" } else { "/" };
        let detail = format!("{node}{slash}{device} needs a BIRTH: {why}");
        refuse(Reason::AliasUnknown, detail).into()
    }
}
