//! Shelly Gen1: `shellies/<device>/…`, a topic for each value, without time. The relays' counter is in watt-minutes
//! and begins at 0 with each start of the device; the meters' `total` is in Wh and lasts.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "shelly-gen1",
    title: "Shelly Gen1",
    routes: &[("shellies/+/#", "shelly-gen1/{2}")],
    reads: "`relay/N/power|energy`, `emeter/N/power|total|total_returned|voltage|current|pf`, and those of \
            `light`, `roller`, `meter`",
    units: "W, watt-minutes (`energy`), Wh (`total`), V, A",
    sign: "+ import",
    time: "arrival",
    documents: &["https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const RELAY: &[Field] = &[
    ("power", Power, One),
    ("energy", Import, WattMinute),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("pf", PowerFactor, One),
];

/// `energy` and `returned_energy` of these are counters of a minute's fraction that the documents call volatile.
const EMETER: &[Field] = &[
    ("power", Power, One),
    ("total", Import, One),
    ("total_returned", Export, One),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("pf", PowerFactor, One),
    ("energy", Not(Omitted::DayCounter), One),
    ("returned_energy", Not(Omitted::DayCounter), One),
    ("reactive_power", Not(Omitted::ReactivePower), One),
];

fn decode(message: &Message<'_>) -> Outcome {
    let topic = message.topic;
    let (kind, channel, value) = match topic.count() {
        4.. => {
            let mut levels = topic.0.rsplit('/');
            let value = levels.next().unwrap_or_default();
            let channel = levels.next().unwrap_or_default();
            (levels.next().unwrap_or_default(), channel, value)
        }
        _ if matches!(topic.last(), "announce" | "online" | "info" | "status") => {
            return Err(Ignored::Status.into());
        }
        _ if matches!(topic.last(), "command" | "set") => return Err(Ignored::Command.into()),
        _ => return Err(Ignored::OtherQuantity.into()),
    };
    if value == "command" || value == "set" {
        return Err(Ignored::Command.into());
    }
    let fields = match kind {
        "emeter" => EMETER,
        "relay" | "light" | "roller" | "meter" | "color" | "white" => RELAY,
        _ => return Err(Ignored::OtherQuantity.into()),
    };
    let draft = Draft::of(format!("{kind}:{channel}"), DeviceTime::Absent);
    message.single(draft, value, fields)
}
