//! Shelly Gen2 and later: notifications on `<device>/events/rpc`, and a component's whole status on
//! `<device>/status/<component>`.

use wattline_reading::Meeting;

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "shelly",
    title: "Shelly Gen2, Gen3, Gen4 (Plus, Pro)",
    routes: &[("+/events/rpc", "shelly/{1}"), ("+/status/+", "shelly/{1}"), ("+/online", "shelly/{1}")],
    reads: "`switch`, `pm1`, `cover`, `light`, `em`, `em1` with power, voltage, current, pf, freq; `aenergy`, \
            `ret_aenergy`; `emdata`, `em1data` with the registers of `em`, `em1` (same meter)",
    units: "W, Wh, V, A, Hz",
    sign: "+ import",
    time: "`params.ts` of a notification; arrival for `status/…`",
    documents: &[
        "https://shelly-api-docs.shelly.cloud/gen2/General/Notifications",
        "https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt",
        "https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/EM",
        "https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/EMData",
        "https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Switch",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const SINGLE: &[Field] = &[
    ("apower", Power, One),
    ("act_power", Power, One),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("pf", PowerFactor, One),
    ("freq", Frequency, One),
    ("aprt_power", Not(Omitted::ApparentPower), One),
];

const THREE_PHASES: &[Field] = &[
    ("total_act_power", Power, One),
    ("total_current", Current, One),
    ("a_act_power", PhasePower(0), One),
    ("b_act_power", PhasePower(1), One),
    ("c_act_power", PhasePower(2), One),
    ("a_voltage", PhaseVoltage(0), One),
    ("b_voltage", PhaseVoltage(1), One),
    ("c_voltage", PhaseVoltage(2), One),
    ("a_current", PhaseCurrent(0), One),
    ("b_current", PhaseCurrent(1), One),
    ("c_current", PhaseCurrent(2), One),
    ("a_freq", Frequency, One),
    ("total_aprt_power", Not(Omitted::ApparentPower), One),
];

const REGISTERS: &[Field] = &[
    ("total_act", Import, One),
    ("total_act_ret", Export, One),
    ("total_act_energy", Import, One),
    ("total_act_ret_energy", Export, One),
];

/// What it says of itself, one of each.
const SETTINGS: [&str; 17] = [
    "sys", "wifi", "eth", "cloud", "mqtt", "ws", "ble", "ota", "ui", "plugs_ui", "knx", "matter", "modbus",
    "bthome", "bm", "serial", "service",
];

/// An answer to a command, by the words of JSON-RPC.
fn answer(json: &Json<'_>) -> Stop {
    let is_rpc = ["src", "dst", "method", "result", "error"].iter().any(|word| json.get(word).is_some());
    if is_rpc { Ignored::Command.into() } else { Stop::NotThisFamily }
}

fn decode(message: &Message<'_>) -> Outcome {
    let topic = message.topic;
    if topic.last() == "online" {
        return Err(Ignored::Status.into());
    }
    let is_status = topic.last_but_one() == "status";
    // Many devices publish on `<name>/status/<something>`; a Shelly's components have a number.
    if is_status && !topic.last().contains(':') {
        let is_own = SETTINGS.contains(&topic.last()) || is_status_word(message.text()?);
        return Err(if is_own { Ignored::Status.into() } else { Stop::NotThisFamily });
    }
    let json = message.object()?;
    let mut drafts = Drafts::default();
    if is_status {
        component(topic.last(), &json, &DeviceTime::Absent, &mut drafts);
        return drafts.or_ignore(Ignored::OtherQuantity);
    }
    match json.get("method").and_then(Json::text) {
        Some("NotifyStatus" | "NotifyFullStatus") => {}
        // Events carry switching, button presses and the energy of single minutes.
        Some("NotifyEvent") => return Err(Ignored::OtherQuantity.into()),
        _ => return Err(answer(&json)),
    }
    let params = json.get("params").unwrap_or(&Json::Null);
    let time = DeviceTime::from_json(params.get("ts"));
    for (name, object) in params.fields() {
        component(name, object, &time, &mut drafts);
    }
    merge(&mut drafts);
    drafts.or_ignore(Ignored::OtherQuantity)
}

fn component(name: &str, object: &Json<'_>, time: &DeviceTime, drafts: &mut Drafts) {
    let Some((kind, id)) = name.split_once(':') else { return };
    let (kind, fields) = match kind {
        "switch" | "pm1" | "cover" | "light" | "em1" | "rgb" | "rgbw" | "cct" => (kind, SINGLE),
        "em" => (kind, THREE_PHASES),
        "emdata" => ("em", REGISTERS),
        "em1data" => ("em1", REGISTERS),
        _ => return,
    };
    let mut draft = Draft::of(format!("{kind}:{id}"), time.clone());
    let omitted = &mut drafts.omitted;
    collect(object, fields, &mut draft, omitted);
    for (field, quantity) in [("aenergy", Import), ("ret_aenergy", Export)] {
        if let Some(total) = object.get(field).and_then(|energy| energy.get("total")) {
            set_json(&mut draft, quantity, total, One, field, omitted);
        }
    }
    drafts.drafts.push(draft);
}

/// `em:0` and `emdata:0` in one notification are one reading.
fn merge(drafts: &mut Drafts) {
    let mut merged: Vec<Draft> = Vec::with_capacity(drafts.drafts.len());
    for draft in drafts.drafts.drain(..) {
        match merged.iter_mut().find(|other| other.channel == draft.channel) {
            Some(other) => {
                // What contradicts stays a reading of its own: two of one instant, which is not for a decoder to judge.
                if other.measures.absorb(&draft.measures) == Meeting::Conflict {
                    merged.push(draft);
                }
            }
            None => merged.push(draft),
        }
    }
    drafts.drafts = merged;
}
