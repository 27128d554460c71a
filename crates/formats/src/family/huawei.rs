//! Huawei SUN2000 by bridges that keep the names of huawei-solar-lib. The grid meter there counts feeding in as
//! positive.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "huawei",
    title: "Huawei SUN2000 (huawei-solar names)",
    routes: &[
        ("huawei/+", "huawei/{2}"),
        ("huawei/+/+", "huawei/{2}"),
        ("huawei-solar/+", "huawei/{2}"),
        ("huawei-solar/+/+", "huawei/{2}"),
    ],
    reads: "inverter: active_power, accumulated_yield_energy, grid_voltage, grid_frequency, power_factor; channel `grid`: \
            power_meter_active_power, grid_accumulated_energy, grid_exported_energy, phases; channel `battery`: \
            storage_state_of_capacity",
    units: "W, kWh, V, A, Hz, %",
    sign: "an inverter feeds in; the grid meter's power is + export and is turned",
    time: "`timestamp` where it is there, else arrival",
    documents: &["https://github.com/wlcrs/huawei-solar-lib", "https://github.com/wlcrs/huawei_solar"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const INVERTER: &[Field] = &[
    ("active_power", PowerGenerated, One),
    ("accumulated_yield_energy", Export, Kilo),
    ("grid_voltage", Voltage, One),
    ("grid_current", Current, One),
    ("phase_A_voltage", PhaseVoltage(0), One),
    ("phase_B_voltage", PhaseVoltage(1), One),
    ("phase_C_voltage", PhaseVoltage(2), One),
    ("phase_A_current", PhaseCurrent(0), One),
    ("phase_B_current", PhaseCurrent(1), One),
    ("phase_C_current", PhaseCurrent(2), One),
    ("power_factor", PowerFactor, One),
    ("grid_frequency", Frequency, One),
    ("daily_yield_energy", Not(Omitted::DayCounter), One),
    ("input_power", Not(Omitted::DcSide), One),
    ("reactive_power", Not(Omitted::ReactivePower), One),
];

const GRID: &[Field] = &[
    ("power_meter_active_power", PowerGenerated, One),
    ("grid_accumulated_energy", Import, Kilo),
    ("grid_exported_energy", Export, Kilo),
    ("grid_A_voltage", PhaseVoltage(0), One),
    ("grid_B_voltage", PhaseVoltage(1), One),
    ("grid_C_voltage", PhaseVoltage(2), One),
    ("active_grid_A_current", PhaseCurrent(0), One),
    ("active_grid_B_current", PhaseCurrent(1), One),
    ("active_grid_C_current", PhaseCurrent(2), One),
    ("active_grid_A_power", PhaseGenerated(0), One),
    ("active_grid_B_power", PhaseGenerated(1), One),
    ("active_grid_C_power", PhaseGenerated(2), One),
    ("active_grid_power_factor", PowerFactor, One),
    ("active_grid_frequency", Frequency, One),
    ("power_meter_reactive_power", Not(Omitted::ReactivePower), One),
];

const BATTERY: &[Field] = &[("storage_state_of_capacity", StateOfCharge, One)];

/// How the names of its other registers begin.
const OTHERS: [&str; 7] =
    ["storage_", "pv_", "alarm_", "state_", "device_status", "internal_temperature", "startup_time"];

fn decode(message: &Message<'_>) -> Outcome {
    let text = message.text()?;
    let name = message.topic.last();
    if !text.starts_with('{') {
        let (channel, fields) = [("grid", GRID), ("battery", BATTERY)]
            .into_iter()
            .find(|(_, fields)| find(fields, name).is_some())
            .unwrap_or(("", INVERTER));
        return message.single(Draft::of(channel, DeviceTime::Absent), name, fields);
    }
    let json = message.json()?;
    let time = DeviceTime::from_json(json.get("timestamp"));
    let mut drafts = Drafts::default();
    for (channel, fields) in [("", INVERTER), ("grid", GRID), ("battery", BATTERY)] {
        let mut draft = Draft::of(channel, time.clone());
        collect(&json, fields, &mut draft, &mut drafts.omitted);
        drafts.drafts.push(draft);
    }
    let is_own = |name: &str| OTHERS.iter().any(|prefix| name.starts_with(prefix));
    if json.fields().iter().any(|(name, _)| is_own(name)) {
        drafts.or_ignore(Ignored::OtherQuantity)
    } else {
        drafts.or_ignore(Stop::NotThisFamily)
    }
}
