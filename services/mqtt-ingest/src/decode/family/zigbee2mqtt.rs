//! Zigbee2MQTT: the whole state of a device as one object on `zigbee2mqtt/<friendly name>`.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "zigbee2mqtt",
    title: "Zigbee2MQTT",
    routes: &[("zigbee2mqtt/#", "{2+}")],
    reads: "power, energy, produced_energy, voltage, current, power_factor, ac_frequency; phases b and c; meters with \
            two clamps (`_a`, `_b`, `_l1`, `_l2`) as channels",
    units: "W, kWh, V, A, Hz",
    sign: "+ import; a clamp's `energy_flow` of `producing` makes its power negative",
    time: "`last_seen` where Zigbee2MQTT is told to add it; else arrival",
    documents: &[
        "https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html",
        "https://www.zigbee2mqtt.io/devices/PJ-1203A.html",
    ],
    is_status,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("power", Power, One),
    ("energy", Import, Kilo),
    ("produced_energy", Export, Kilo),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("power_factor", PowerFactor, One),
    ("ac_frequency", Frequency, One),
    ("frequency", Frequency, One),
    ("power_phase_b", PhasePower(1), One),
    ("power_phase_c", PhasePower(2), One),
    ("voltage_phase_b", PhaseVoltage(1), One),
    ("voltage_phase_c", PhaseVoltage(2), One),
    ("current_phase_b", PhaseCurrent(1), One),
    ("current_phase_c", PhaseCurrent(2), One),
    ("power_apparent", Not(Omitted::ApparentPower), One),
    ("apparent_power", Not(Omitted::ApparentPower), One),
    ("power_reactive", Not(Omitted::ReactivePower), One),
    ("energy_today", Not(Omitted::DayCounter), One),
    ("energy_yesterday", Not(Omitted::DayCounter), One),
    ("energy_month", Not(Omitted::DayCounter), One),
];

/// The clamps or sockets of a device, by the end of their fields' names.
const CHANNELS: [&str; 6] = ["a", "b", "l1", "l2", "l3", "l4"];

const OF_CHANNEL: &[Field] = &[
    ("power", Power, One),
    ("energy", Import, Kilo),
    ("produced_energy", Export, Kilo),
    ("energy_produced", Export, Kilo),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("power_factor", PowerFactor, One),
];

fn is_status(topic: Topic<'_>) -> bool {
    topic.level(2) == "bridge"
}

fn decode(message: &Message<'_>) -> Outcome {
    match message.topic.last() {
        "availability" => return Err(Ignored::Status.into()),
        "set" | "get" => return Err(Ignored::Command.into()),
        _ => {}
    }
    let json = message.object()?;
    let time = DeviceTime::from_json(json.get("last_seen"));
    let mut drafts = Drafts::default();
    let mut draft = Draft::at(time.clone());
    collect(&json, FIELDS, &mut draft, &mut drafts.omitted)?;
    if draft.measures.phases.len() > 1 {
        // The names without a phase are those of phase A, and the device's power is the sum.
        let measures = &draft.measures;
        let (power_w, voltage_v, current_a) = (measures.power_w, measures.voltage_v, measures.current_a);
        let first = draft.phase(0);
        (first.power_w, first.voltage_v, first.current_a) = (power_w, voltage_v, current_a);
        let phases = &draft.measures.phases;
        let sum = phases.iter().map(|phase| phase.power_w).sum::<Option<f64>>();
        draft.measures.power_w = sum.filter(|_| phases.len() == 3);
        (draft.measures.voltage_v, draft.measures.current_a) = (None, None);
    }
    if draft.measures.power_w.is_some() || has_register(&draft) || !draft.measures.phases.is_empty() {
        drafts.drafts.push(draft);
    }
    for channel in CHANNELS {
        let draft = clamp(&json, channel, &time, &mut drafts.omitted)?;
        if draft.measures.power_w.is_some() || has_register(&draft) {
            drafts.drafts.push(draft);
        }
    }
    drafts.or_ignore(Ignored::OtherQuantity)
}

fn clamp(
    json: &Json<'_>,
    channel: &'static str,
    time: &DeviceTime,
    omitted: &mut Vec<Omission>,
) -> Result<Draft, Stop> {
    let mut draft = Draft::of(channel, time.clone());
    for (name, value) in json.fields() {
        if let Some(field) = name.strip_suffix(channel).and_then(|name| name.strip_suffix('_'))
            && let Some((_, quantity, unit)) = find(OF_CHANNEL, field)
        {
            set_json(&mut draft, *quantity, value, *unit, name, omitted)?;
        }
    }
    let flow = json.get(&format!("energy_flow_{channel}")).and_then(Json::text);
    if flow == Some("producing") {
        draft.measures.power_w = draft.measures.power_w.map(|power| 0.0 - power.abs());
    }
    Ok(draft)
}

/// A voltage alone is a battery's.
fn has_register(draft: &Draft) -> bool {
    draft.measures.energy_import_mwh.is_some() || draft.measures.energy_export_mwh.is_some()
}
