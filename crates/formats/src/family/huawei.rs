//! Huawei SUN2000 by bridges that keep the names of huawei-solar-lib. The grid meter there counts feeding in as
//! positive.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "huawei",
    title: "Huawei SUN2000 (huawei-solar names)",
    routes: &[
        ("huawei/+", "huawei/{2}"),
        ("huawei/+/+", "huawei/{2}"),
        ("huawei-solar", "huawei"),
        ("huawei-solar/+", "huawei/{2}"),
        ("huawei-solar/+/+", "huawei/{2}"),
    ],
    reads: "inverter: active_power, accumulated_yield_energy, grid_voltage, grid_frequency, power_factor; channel `grid`: \
            power_meter_active_power, grid_accumulated_energy, grid_exported_energy, phases; channel `battery`: \
            storage_state_of_capacity; the same by the names of huawei-solar-modbus-to-mqtt and huABus (`power_active`, \
            `meter_power_active`)",
    units: "W, kWh, V, A, Hz, %",
    sign: "an inverter feeds in; the grid meter's power is + export and is turned",
    time: "`timestamp`, `last_update` where it is there, else arrival",
    documents: &[
        "https://github.com/wlcrs/huawei-solar-lib",
        "https://github.com/wlcrs/huawei_solar",
        "https://github.com/mjaschen/huawei-solar-modbus-to-mqtt",
        "https://github.com/arboeh/huABus",
    ],
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
    ("power_active", PowerGenerated, One),
    ("energy_yield_accumulated", Export, Kilo),
    ("frequency_grid", Frequency, One),
    ("energy_yield_day", Not(Omitted::DayCounter), One),
    ("enery_yield_day", Not(Omitted::DayCounter), One),
    ("power_active_peak_day", Not(Omitted::DayCounter), One),
    ("power_input", Not(Omitted::DcSide), One),
    ("power_reactive", Not(Omitted::ReactivePower), One),
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
    ("meter_power_active", PowerGenerated, One),
    ("power_active_meter", PowerGenerated, One),
    ("energy_grid_accumulated", Import, Kilo),
    ("energy_grid_exported", Export, Kilo),
    ("voltage_grid_A", PhaseVoltage(0), One),
    ("voltage_grid_B", PhaseVoltage(1), One),
    ("voltage_grid_C", PhaseVoltage(2), One),
    ("current_grid_A", PhaseCurrent(0), One),
    ("current_grid_B", PhaseCurrent(1), One),
    ("current_grid_C", PhaseCurrent(2), One),
    ("power_meter_A", PhaseGenerated(0), One),
    ("power_meter_B", PhaseGenerated(1), One),
    ("power_meter_C", PhaseGenerated(2), One),
    ("current_meter_A", PhaseCurrent(0), One),
    ("current_meter_B", PhaseCurrent(1), One),
    ("current_meter_C", PhaseCurrent(2), One),
    ("frequency_meter", Frequency, One),
    ("power_active_grid_A", PhaseGenerated(0), One),
    ("power_active_grid_B", PhaseGenerated(1), One),
    ("power_active_grid_C", PhaseGenerated(2), One),
    ("freq_active_grid", Frequency, One),
    ("power_factor_active_grid", PowerFactor, One),
    ("meter_reactive_power", Not(Omitted::ReactivePower), One),
    ("power_reactive_meter", Not(Omitted::ReactivePower), One),
];

const BATTERY: &[Field] = &[
    ("storage_state_of_capacity", StateOfCharge, One),
    ("battery_soc", StateOfCharge, One),
    ("soc_battery", StateOfCharge, One),
    ("battery_power", Not(Omitted::DcSide), One),
    ("power_battery", Not(Omitted::DcSide), One),
];

/// How the names of its other registers begin.
const OTHERS: [&str; 8] = [
    "storage_",
    "pv_",
    "alarm_",
    "state_",
    "device_status",
    "internal_temperature",
    "startup_time",
    "inverter_",
];

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
    let time = DeviceTime::from_json(json.get("timestamp").or_else(|| json.get("last_update")));
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
