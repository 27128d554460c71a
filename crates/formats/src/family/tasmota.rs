//! Tasmota: `tele/<device>/SENSOR` every TelePeriod, and `stat/<device>/STATUS8` or `STATUS10` on request.

use super::prelude::*;
use super::{tasmota_sml, teleinfo};

pub(super) const FAMILY: Family = Family {
    name: "tasmota",
    title: "Tasmota (plugs, three-phase meters, SML, DSMR and Teleinfo readers)",
    routes: &[
        ("tele/+/+", "tasmota/{2}"),
        ("tele/+/+/+", "tasmota/{2}/{3}"),
        ("stat/+/+", "tasmota/{2}"),
        ("stat/+/+/+", "tasmota/{2}/{3}"),
        ("+/tele/+", "tasmota/{1}"),
        ("+/stat/+", "tasmota/{1}"),
    ],
    reads: "`ENERGY`: Power, Total, ExportActive, Voltage, Current, Factor, Frequency, phases; the objects of smart \
            meter scripts by the usual labels; `TIC` and `METER` of Teleinfo",
    units: "W, kWh, V, A; `TIC` in Wh",
    sign: "+ import",
    time: "`Epoch` where it is there (the command `Time 2`); else `Time`, which is without zone unless the firmware is \
           told to send one: give the route a `time_zone`",
    documents: &[
        "https://tasmota.github.io/docs/Power-Monitoring-Calibration/",
        "https://tasmota.github.io/docs/Smart-Meter-Interface/",
        "https://tasmota.github.io/docs/Teleinfo/",
        "https://tasmota.github.io/docs/P1-Smart-Meter/",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// Labels under which smart meter scripts put the only meter of a device; another label is a channel.
const PLAIN_LABELS: [&str; 8] = ["", "SML", "ENERGY", "METER", "P1", "DSMR", "OBIS", "POWER"];

/// Sensors of direct current, at batteries and panels.
const DIRECT_CURRENT: [&str; 5] = ["INA219", "INA226", "INA228", "INA3221", "ISL28022"];

fn decode(message: &Message<'_>) -> Outcome {
    match message.topic.last() {
        "SENSOR" | "STATUS8" | "STATUS10" => {}
        "ENERGY" => return of_version_5(message),
        last if is_status(message.topic, last) => return Err(Ignored::Status.into()),
        _ => return Err(Stop::NotThisFamily),
    }
    let json = message.object()?;
    let sensor = json.get("StatusSNS").unwrap_or(&json);
    let time = time(sensor);
    let mut drafts = Drafts::default();
    if let Some(tic) = sensor.get("TIC") {
        frame(sensor, tic, &time, &mut drafts);
    } else {
        for (name, object) in sensor.fields().iter().filter(|(_, object)| object.is_object()) {
            if name == "ENERGY" {
                energy(object, &time, &mut drafts);
            } else if name == "METER" && object.get("W").or_else(|| object.get("W1")).is_some() {
                linky_meter(object, &time, &mut drafts);
            } else if DIRECT_CURRENT.contains(&name.as_ref()) {
                drafts.omitted.push(Omission::new(name, Omitted::DcSide));
            } else {
                smart_meter(name, object, &time, &mut drafts);
            }
        }
    }
    drafts.or_ignore(OwnWords(&json, &["Time", "StatusSNS", "ENERGY"]))
}

/// After the command `Time 2` an `Epoch` stands beside the local `Time`; before the clock is set neither says anything.
fn time(sensor: &Json<'_>) -> DeviceTime {
    match DeviceTime::from_json(sensor.get("Epoch")) {
        epoch @ DeviceTime::At(_) => epoch,
        _ => DeviceTime::from_json(sensor.get("Time")),
    }
}

/// Up to version 5 the driver's object had a topic of its own.
fn of_version_5(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    let mut drafts = Drafts::default();
    energy(&json, &DeviceTime::from_json(json.get("Time")), &mut drafts);
    drafts.or_ignore(OwnWords(&json, &["Time"]))
}

/// What is on its other topics: telemetry by a list, and below `stat` any command's answer, in upper case.
fn is_status(topic: Topic<'_>, last: &str) -> bool {
    let number = last.trim_end_matches(|c: char| c.is_ascii_digit());
    if matches!(
        number,
        "LWT"
            | "STATE"
            | "TELEMETRY"
            | "INFO"
            | "RESULT"
            | "UPTIME"
            | "LOGGING"
            | "HASS_STATE"
            | "STATUS"
            | "MARGINS"
    ) {
        return true;
    }
    let mut levels = topic.0.split('/');
    levels.any(|level| level == "stat")
        && last.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The driver's own object. Arrays hold one value for each phase, or for each of two relays.
fn energy(object: &Json<'_>, time: &DeviceTime, drafts: &mut Drafts) {
    let mut draft = Draft::at(time.clone());
    draft.register_epoch = DeviceTime::from_json(object.get("TotalStartTime"));
    // The Teleinfo driver gives the subscribed power's share as Load, and apparent power as Power.
    let apparent = object.get("Load").is_some();
    // Of a meter with this register the total may be import and export together.
    let has_import = object.get("ImportActive").is_some();
    for (name, value) in object.fields() {
        let (quantity, unit) = match name.as_ref() {
            "Total" if has_import => (Not(Omitted::Ambiguous), One),
            "Power" if apparent => (Not(Omitted::ApparentPower), One),
            "Power" | "ActivePower" => (Power, One),
            "Total" | "ImportActive" => (Import, Kilo),
            "ExportActive" => (Export, Kilo),
            "Voltage" => (Voltage, One),
            "Current" => (Current, One),
            "Factor" => (PowerFactor, One),
            "Frequency" => (Frequency, One),
            "Today" | "Yesterday" | "Period" => (Not(Omitted::DayCounter), One),
            "ApparentPower" => (Not(Omitted::ApparentPower), One),
            "ReactivePower" => (Not(Omitted::ReactivePower), One),
            _ => continue,
        };
        match value {
            Json::Array(items) => several(&mut draft, quantity, items, unit, name, &mut drafts.omitted),
            value => set_json(&mut draft, quantity, value, unit, name, &mut drafts.omitted),
        }
    }
    drafts.drafts.push(draft);
}

/// One value for each of several measuring points: power and registers are summed; three are phases. Tasmota writes `null`
/// for NaN: where one doesn't say its value, the others are not the sum.
fn several(
    draft: &mut Draft,
    quantity: Quantity,
    items: &[Json<'_>],
    unit: Unit,
    name: &str,
    omitted: &mut Vec<Omission>,
) {
    if let Not(reason) = quantity {
        omitted.push(Omission::new(name, reason));
        return;
    }
    let (mut powers_w, mut registers_mwh) = (Vec::new(), Vec::new());
    for (phase, item) in (0_u8..).zip(items) {
        let mut one = Draft::default();
        set_json(&mut one, quantity, item, unit, name, omitted);
        powers_w.extend(one.measures.power_w);
        registers_mwh.extend(one.measures.energy_import_mwh.or(one.measures.energy_export_mwh));
        draft.absorb_state(one);
        let of_phase = match quantity {
            Power => PhasePower(phase),
            Voltage => PhaseVoltage(phase),
            Current => PhaseCurrent(phase),
            _ => continue,
        };
        if items.len() == 3 {
            set_json(draft, of_phase, item, unit, name, omitted);
        }
    }
    let whole = |values: usize| values > 0 && values == items.len();
    let register_mwh = || registers_mwh.iter().copied().fold(0, i64::saturating_add);
    match quantity {
        Power if whole(powers_w.len()) => draft.measures.power_w = Some(powers_w.iter().sum()),
        Import if whole(registers_mwh.len()) => draft.measures.energy_import_mwh = Some(register_mwh()),
        Export if whole(registers_mwh.len()) => draft.measures.energy_export_mwh = Some(register_mwh()),
        Import | Export if !registers_mwh.is_empty() => {
            omitted.push(Omission::new(name, Omitted::PartialRegister));
        }
        _ => {}
    }
}

/// Teleinfo: the frame itself is exact; the driver's Power is apparent power.
fn frame(sensor: &Json<'_>, tic: &Json<'_>, time: &DeviceTime, drafts: &mut Drafts) {
    let mut draft = Draft::at(time.clone());
    teleinfo::frame(tic, &mut draft, &mut drafts.omitted);
    if sensor.get("ENERGY").and_then(|energy| energy.get("Power")).is_some() {
        drafts.omitted.push(Omission::new("Power", Omitted::ApparentPower));
    }
    drafts.drafts.push(draft);
}

/// Teleinfo's measured values: `W` and `W1` active, `P` and `P1` apparent power.
fn linky_meter(object: &Json<'_>, time: &DeviceTime, drafts: &mut Drafts) {
    const FIELDS: [Field; 15] = [
        ("W", Power, One),
        ("W1", PhasePower(0), One),
        ("W2", PhasePower(1), One),
        ("W3", PhasePower(2), One),
        ("U1", PhaseVoltage(0), One),
        ("U2", PhaseVoltage(1), One),
        ("U3", PhaseVoltage(2), One),
        ("I1", PhaseCurrent(0), One),
        ("I2", PhaseCurrent(1), One),
        ("I3", PhaseCurrent(2), One),
        ("I", Current, One),
        ("C", PowerFactor, One),
        ("P", Not(Omitted::ApparentPower), One),
        ("PP", Not(Omitted::ApparentPower), One),
        ("PROD", Not(Omitted::ApparentPower), One),
    ];
    let mut draft = Draft::at(time.clone());
    collect(object, &FIELDS, &mut draft, &mut drafts.omitted);
    // One phase is the whole.
    if let [only] = draft.measures.phases.as_slice() {
        draft.measures.power_w = draft.measures.power_w.or(only.power_w);
    }
    drafts.drafts.push(draft);
}

/// An object of a smart meter script. One without power and register is another sensor.
fn smart_meter(name: &str, object: &Json<'_>, time: &DeviceTime, drafts: &mut Drafts) {
    let plain = PLAIN_LABELS.contains(&name);
    let channel = if plain { String::new() } else { name.to_owned() };
    let mut draft = Draft::of(channel, time.clone());
    let mut omitted = Vec::new();
    tasmota_sml::take(object, &mut draft, &mut omitted);
    if is_of_another_medium(name) && draft.measures.power_w.is_none() {
        drafts.omitted.push(Omission::new(name, Omitted::UnknownName));
    } else if tasmota_sml::is_meter(&draft) || !omitted.is_empty() {
        drafts.drafts.push(draft);
        drafts.omitted.append(&mut omitted);
    } else {
        drafts.let_go(draft);
    }
}

/// Counters of gas and water are read by the same scripts, and have totals too.
fn is_of_another_medium(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["gas", "water", "wasser"].iter().any(|medium| name.starts_with(medium))
}
