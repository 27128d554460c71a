//! ChirpStack: `application/<id>/device/<devEui>/event/up` with what the device profile's codec made of the uplink; of
//! version 3 as JSON in a text.

use super::names::Units;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "chirpstack",
    title: "ChirpStack v3 and v4 (LoRaWAN)",
    routes: &[("application/+/device/+/event/+", "chirpstack/{4}")],
    reads: "`object` (v3: `objectJSON`) by the common names, as generic-json",
    units: "by the names; else W, V, A (not an A that contradicts power and voltage); energies and a power called \
            consumption need the route's `energy_unit`, `power_unit`: codecs differ",
    sign: "+ import",
    time: "`time`: when the gateway received it; v3: `publishedAt`",
    documents: &["https://www.chirpstack.io/docs/chirpstack/integrations/events.html"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    match message.topic.last() {
        "up" => {}
        "join" | "status" | "ack" | "txack" | "log" | "location" | "integration" => {
            return Err(Ignored::Status.into());
        }
        _ => return Err(Stop::NotThisFamily),
    }
    let json = message.object()?;
    let mut draft = Draft::at(DeviceTime::from_json(json.get("time").or_else(|| json.get("publishedAt"))));
    let mut omitted = Vec::new();
    let in_text = json.get("objectJSON").and_then(Json::text).filter(|text| !text.is_empty());
    let in_text = in_text.map(Json::parse_text).transpose()?;
    let Some(object) = json.get("object").or(in_text.as_ref()) else {
        // Without a codec there are only bytes.
        return Err(Ignored::OtherQuantity.into());
    };
    super::generic_json::take_fields(object, Units::of_codecs(message.options), &mut draft, &mut omitted);
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
