//! fronius-bridge: an inverter and a meter by Modbus, one JSON object each on `fronius-bridge/inverter/values` and
//! `fronius-bridge/meter/values`; early versions have an inverter alone, on `fronius-bridge/values`.

use super::super::prelude::*;

/// `ac_energy` is in Wh in some versions and in kWh in others, and says nothing of it: the route must.
const INVERTER: &[Field] = &[
    ("ac_power_active", PowerGenerated, One),
    ("ac_power_factor", PowerFactor, Unit::Centi),
    ("ac_frequency", Frequency, One),
    ("ac_power_apparent", Not(Omitted::ApparentPower), One),
    ("ac_power_reactive", Not(Omitted::ReactivePower), One),
    ("dc_power", Not(Omitted::DcSide), One),
];

const METER: &[Field] = &[
    ("power_active", Power, One),
    ("energy_active_import", Import, Kilo),
    ("energy_active_export", Export, Kilo),
    ("power_factor", PowerFactor, Unit::Centi),
    ("frequency", Frequency, One),
    ("voltage_ph", Voltage, One),
    ("current", Current, One),
    ("power_apparent", Not(Omitted::ApparentPower), One),
    ("power_reactive", Not(Omitted::ReactivePower), One),
    ("energy_apparent_import", Not(Omitted::ApparentPower), One),
    ("energy_apparent_export", Not(Omitted::ApparentPower), One),
    ("energy_reactive_import", Not(Omitted::ReactivePower), One),
    ("energy_reactive_export", Not(Omitted::ReactivePower), One),
];

type OfPhase = (&'static str, fn(u8) -> Quantity);

const PHASE: &[OfPhase] = &[
    ("ac_voltage", PhaseVoltage),
    ("ac_current", PhaseCurrent),
    ("power_active", PhasePower),
    ("voltage_ph", PhaseVoltage),
    ("current", PhaseCurrent),
];

pub(super) fn decode(message: &Message<'_>) -> Outcome {
    match message.topic.last() {
        "values" => {}
        "events" | "device" | "availability" => return Err(Ignored::Status.into()),
        _ => return Err(Stop::NotThisFamily),
    }
    let json = message.object()?;
    let mut draft = Draft::at(DeviceTime::from_json(json.get("time")));
    let mut omitted = Vec::new();
    let is_meter = json.field("power_active").or_else(|| json.field("energy_active_import")).is_some();
    collect(&json, if is_meter { METER } else { INVERTER }, &mut draft, &mut omitted);
    if let Some(value) = json.field("ac_energy") {
        match message.options.energy_unit {
            Some(unit) => set_json(&mut draft, Export, value, unit, "ac_energy", &mut omitted),
            None => omitted.push(Omission::new("ac_energy", Omitted::UnitUnknown)),
        }
    }
    for (phase, values) in (0_u8..3).zip(json.get("phases").map(Json::items).unwrap_or_default()) {
        for (name, of_phase) in PHASE {
            if let Some(value) = values.field(name) {
                set_json(&mut draft, of_phase(phase), value, One, name, &mut omitted);
            }
        }
    }
    Drafts::one(draft, omitted, Stop::NotThisFamily)
}
