//! Zigbee2MQTT: the whole state of a device as one object on `zigbee2mqtt/<friendly name>`.

use super::prelude::*;
use crate::number::number;

pub(super) const FAMILY: Family = Family {
    name: "zigbee2mqtt",
    title: "Zigbee2MQTT",
    routes: &[("zigbee2mqtt/#", "zigbee2mqtt/{2+}")],
    reads: "power, energy, produced_energy, voltage, current, power_factor, ac_frequency, and other names of the same; \
            phases (`_phase_b`, `_a` to `_c`, `_l1` to `_l3` beside a sum); meters with two clamps (`_a`, `_b`, `_l1`, \
            `_l2`) as channels; a ZLinky's current_summ_delivered or the sum of its tiers, and current_summ_received. Attributes on topics of their own are not read",
    units: "W, kWh, V, A, Hz",
    sign: "+ import; a clamp's `energy_flow` of `producing`, or without it a negative sum of the clamps, makes its \
           power negative",
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
    ("energy_produced", Export, Kilo),
    ("reverse_energy", Export, Kilo),
    ("energy_consumed", Import, Kilo),
    ("total_energy", Import, Kilo),
    ("total_energy_consumption", Import, Kilo),
    ("total_active_energy", Import, Kilo),
    ("energy_tier_1", ImportTariff(0), Kilo),
    ("energy_tier_2", ImportTariff(1), Kilo),
    ("energy_tier_3", ImportTariff(2), Kilo),
    ("energy_tier_4", ImportTariff(3), Kilo),
    ("produced_energy_tier_1", ExportTariff(0), Kilo),
    ("produced_energy_tier_2", ExportTariff(1), Kilo),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("power_factor", PowerFactor, One),
    ("ac_frequency", Frequency, One),
    ("frequency", Frequency, One),
    ("power_phase_a", PhasePower(0), One),
    ("power_phase_b", PhasePower(1), One),
    ("power_phase_c", PhasePower(2), One),
    ("voltage_phase_b", PhaseVoltage(1), One),
    ("voltage_phase_c", PhaseVoltage(2), One),
    ("current_phase_b", PhaseCurrent(1), One),
    ("current_phase_c", PhaseCurrent(2), One),
    ("rms_voltage", Voltage, One),
    ("rms_current", Current, One),
    ("rms_current_ph_b", PhaseCurrent(1), One),
    ("rms_current_ph_c", PhaseCurrent(2), One),
    ("energy_phase_a", Not(Omitted::PartialRegister), One),
    ("energy_phase_b", Not(Omitted::PartialRegister), One),
    ("energy_phase_c", Not(Omitted::PartialRegister), One),
    ("produced_energy_phase_a", Not(Omitted::PartialRegister), One),
    ("produced_energy_phase_b", Not(Omitted::PartialRegister), One),
    ("produced_energy_phase_c", Not(Omitted::PartialRegister), One),
    ("current_summ_delivered", Import, Kilo),
    ("current_tier1_summ_delivered", ImportTariff(0), Kilo),
    ("current_tier2_summ_delivered", ImportTariff(1), Kilo),
    ("current_tier3_summ_delivered", ImportTariff(2), Kilo),
    ("current_tier4_summ_delivered", ImportTariff(3), Kilo),
    ("current_tier5_summ_delivered", ImportTariff(4), Kilo),
    ("current_tier6_summ_delivered", ImportTariff(5), Kilo),
    ("current_summ_received", Export, Kilo),
    ("daily_energy", Not(Omitted::DayCounter), One),
    ("power_ab", Not(Omitted::Aggregate), One),
    ("power_apparent", Not(Omitted::ApparentPower), One),
    ("apparent_power", Not(Omitted::ApparentPower), One),
    ("power_reactive", Not(Omitted::ReactivePower), One),
    ("energy_today", Not(Omitted::DayCounter), One),
    ("energy_yesterday", Not(Omitted::DayCounter), One),
    ("energy_month", Not(Omitted::DayCounter), One),
];

/// Meters of three phases that are called as others call their clamps.
const THREE_PHASES: &[Field] = &[
    ("power_a", PhasePower(0), One),
    ("power_b", PhasePower(1), One),
    ("power_c", PhasePower(2), One),
    ("voltage_a", PhaseVoltage(0), One),
    ("voltage_b", PhaseVoltage(1), One),
    ("voltage_c", PhaseVoltage(2), One),
    ("current_a", PhaseCurrent(0), One),
    ("current_b", PhaseCurrent(1), One),
    ("current_c", PhaseCurrent(2), One),
    ("energy_a", Not(Omitted::PartialRegister), One),
    ("energy_b", Not(Omitted::PartialRegister), One),
    ("energy_c", Not(Omitted::PartialRegister), One),
];

/// The same of meters that count their phases from 1.
const LINES: &[Field] = &[
    ("power_l1", PhasePower(0), One),
    ("power_l2", PhasePower(1), One),
    ("power_l3", PhasePower(2), One),
    ("voltage_l1", PhaseVoltage(0), One),
    ("voltage_l2", PhaseVoltage(1), One),
    ("voltage_l3", PhaseVoltage(2), One),
    ("current_l1", PhaseCurrent(0), One),
    ("current_l2", PhaseCurrent(1), One),
    ("current_l3", PhaseCurrent(2), One),
    ("energy_l1", Not(Omitted::PartialRegister), One),
    ("energy_l2", Not(Omitted::PartialRegister), One),
    ("energy_l3", Not(Omitted::PartialRegister), One),
];

/// The whole of a device whose `power` is that of its first phase.
const TOTALS: [(&str, Unit); 2] = [("total_power", One), ("total_active_power", Kilo)];

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
    if !message.text()?.starts_with(['{', '[']) {
        // Its `output: attribute`: a bare value below the device's topic, or of a device with a slash in its name.
        let name = message.topic.last();
        let is_own = find(FIELDS, name).is_some();
        return Err(if is_own {
            Stop::left_out(name, Omitted::Ambiguous)
        } else {
            Ignored::OtherQuantity.into()
        });
    }
    let json = message.object()?;
    let time = DeviceTime::from_json(json.get("last_seen"));
    let mut drafts = Drafts::default();
    let mut draft = Draft::at(time.clone());
    collect(&json, FIELDS, &mut draft, &mut drafts.omitted);
    without_historic_zero(&json, &mut draft);
    let mut clamps = Vec::new();
    if has_lines(&json) {
        collect(&json, LINES, &mut draft, &mut drafts.omitted);
    } else if json.get("power_c").or_else(|| json.get("voltage_c")).is_some() {
        collect(&json, THREE_PHASES, &mut draft, &mut drafts.omitted);
    } else {
        if draft.measures.phases.len() > 1 {
            name_first_phase(&mut draft);
        }
        for channel in CHANNELS {
            let clamp = clamp(&json, channel, &time, &mut drafts.omitted)?;
            if clamp.measures.power_w.is_some() || has_register(&clamp) {
                clamps.push(clamp);
            } else {
                drafts.let_go(clamp);
            }
        }
    }
    for (name, unit) in TOTALS {
        if let Some(value) = json.get(name) {
            set_json(&mut draft, Power, value, unit, name, &mut drafts.omitted);
        }
    }
    draft.join(&mut drafts.omitted);
    if !clamps.is_empty() && !has_register(&draft) {
        share(&draft, &mut clamps, &mut drafts.omitted);
    } else if draft.measures.power_w.is_some() || has_register(&draft) || !draft.measures.phases.is_empty() {
        drafts.drafts.push(draft);
    } else {
        drafts.let_go(draft);
    }
    drafts.drafts.append(&mut clamps);
    drafts.or_ignore(Ignored::OtherQuantity)
}

/// True for one meter of several phases; sockets and clamps of those names have no sum of their own.
fn has_lines(json: &Json<'_>) -> bool {
    let has = |name: &str| json.field(name).is_some();
    let is_line = ["power_l1", "power_l2", "power_l3"].into_iter().any(has);
    is_line && !has("power_l4") && (has("power") || has("energy"))
}

/// A Linky that speaks its historic mode says 0 for both registers of the standard mode, and has its tariffs alone.
fn without_historic_zero(json: &Json<'_>, draft: &mut Draft) {
    let register = |name: &str| json.get(name).and_then(Json::scalar).and_then(number);
    let has_tariffs = register("current_tier1_summ_delivered").is_some_and(|kwh| kwh > 0.0);
    if has_tariffs
        && register("current_summ_delivered") == Some(0.0)
        && draft.measures.energy_export_mwh == Some(0)
    {
        draft.measures.energy_export_mwh = None;
    }
}

/// The names without a phase are those of phase A. Power is so only where the other phases have theirs, and the
/// device's is the sum then; an EMIZB-132 gives voltages and currents by phase, and power of the whole.
fn name_first_phase(draft: &mut Draft) {
    let measures = &mut draft.measures;
    let (voltage_v, current_a) = (measures.voltage_v.take(), measures.current_a.take());
    let by_phase = measures.phases.iter().any(|phase| phase.power_w.is_some());
    let has_own = measures.phases.first().is_some_and(|first| first.power_w.is_some());
    let power_w = measures.power_w.take_if(|_| by_phase && !has_own);
    let first = draft.phase(0);
    first.power_w = first.power_w.or(power_w);
    (first.voltage_v, first.current_a) = (voltage_v, current_a);
    let phases = &draft.measures.phases;
    if by_phase && !has_own && phases.len() == 3 {
        draft.measures.power_w = phases.iter().map(|phase| phase.power_w).sum::<Option<f64>>();
    }
}

/// What clamps have in common, the mains, is each one's; their sum is no meter. Clamps that don't say which way power
/// flows give it without sign; it is in the sum then.
fn share(common: &Draft, clamps: &mut [Draft], omitted: &mut Vec<Omission>) {
    if let Some(sum_w) = common.measures.power_w {
        omitted.push(Omission::new("power", Omitted::Aggregate));
        let clamps_w: f64 = clamps.iter().filter_map(|clamp| clamp.measures.power_w).sum();
        if clamps_w > 0.0 && (clamps_w + sum_w).abs() < 0.5 {
            for clamp in &mut *clamps {
                clamp.measures.power_w = clamp.measures.power_w.map(|power| 0.0 - power);
            }
        }
    }
    for clamp in clamps {
        let (own, common) = (&mut clamp.measures, &common.measures);
        own.voltage_v = own.voltage_v.or(common.voltage_v);
        own.frequency_hz = own.frequency_hz.or(common.frequency_hz);
    }
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
            set_json(&mut draft, *quantity, value, *unit, name, omitted);
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
