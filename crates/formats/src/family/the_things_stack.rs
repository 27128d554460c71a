//! The Things Stack v3: `v3/<application>@<tenant>/devices/<device>/up` with the payload formatter's result.

use super::names::Units;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "the-things-stack",
    title: "The Things Stack v3 (LoRaWAN)",
    routes: &[("v3/+/devices/+/+", "the-things-stack/{4}"), ("v3/+/devices/+/+/+", "the-things-stack/{4}")],
    reads: "`uplink_message.decoded_payload` by the common names, as generic-json",
    units: "by the names; else W, V, A (not an A that contradicts power and voltage); energies and a power called \
            consumption need the route's `energy_unit`, `power_unit`: codecs differ",
    sign: "+ import",
    time: "`uplink_message.settings.time` where the gateway has one, else `received_at`",
    documents: &["https://www.thethingsindustries.com/docs/integrations/other-integrations/mqtt/"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    match (message.topic.level(5), message.topic.count()) {
        ("up", 5) => {}
        ("join" | "down" | "service" | "location", _) => return Err(Ignored::Status.into()),
        ("up", _) => return Err(Ignored::OtherQuantity.into()),
        _ => return Err(Stop::NotThisFamily),
    }
    let json = message.object()?;
    let Some(uplink) = json.get("uplink_message") else {
        return Err(Stop::malformed("an uplink has no `uplink_message`".to_owned()));
    };
    let time = uplink.get("settings").and_then(|settings| settings.get("time"));
    let time = time.or_else(|| uplink.get("received_at")).or_else(|| json.get("received_at"));
    let Some(decoded) = uplink.get("decoded_payload") else {
        return Err(Ignored::OtherQuantity.into());
    };
    let mut draft = Draft::at(DeviceTime::from_json(time));
    let mut omitted = Vec::new();
    super::generic_json::take_fields(decoded, Units::of_codecs(message.options), &mut draft, &mut omitted);
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
