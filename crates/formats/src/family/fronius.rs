//! Fronius Solar API answers (`GetMeterRealtimeData`, `GetInverterRealtimeData`, `GetPowerFlowRealtimeData`), as bridges
//! or the datalogger put them on MQTT, and the values of fronius-bridge.

mod bridge;
mod power_flow;

use std::borrow::Cow;

use super::prelude::*;
use crate::number::number;

pub(super) const FAMILY: Family = Family {
    name: "fronius",
    title: "Fronius (Solar API, fronius-bridge)",
    routes: &[
        ("fronius/+", "fronius/{2}"),
        ("fronius/+/+", "fronius/{2}"),
        ("fronius-bridge/values", "fronius/bridge"),
        ("fronius-bridge/+/+", "fronius/bridge/{2}"),
    ],
    reads: "meters: PowerReal_P_Sum, EnergyReal_WAC_Sum_Consumed, EnergyReal_WAC_Sum_Produced, phases; inverters: PAC, \
            TOTAL_ENERGY, UAC, IAC, FAC; of the power flow the channels `grid` (P_Grid) and inverters' numbers (P, \
            E_Total); of fronius-bridge ac_power_active, power_active, energy_active_import, \
            energy_active_export and their like",
    units: "W, Wh, V, A, Hz; of fronius-bridge's meter kWh; its inverter's `ac_energy` is in Wh or kWh by its version and \
            needs the route's `energy_unit`",
    sign: "a meter at the grid: + import; one elsewhere (`Meter_Location_Current`) is − import and is turned; an \
           inverter feeds in",
    time: "`TimeStamp` of a meter, `Head.Timestamp`; `time`",
    documents: &[
        "https://www.fronius.com/~/downloads/Solar%20Energy/Operating%20Instructions/42,0410,2012.pdf",
        "https://github.com/ahpohl/fronius-bridge",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const METER: &[Field] = &[
    ("PowerReal_P_Sum", Power, One),
    ("PowerReal_P_Phase_1", PhasePower(0), One),
    ("PowerReal_P_Phase_2", PhasePower(1), One),
    ("PowerReal_P_Phase_3", PhasePower(2), One),
    ("EnergyReal_WAC_Sum_Consumed", Import, One),
    ("EnergyReal_WAC_Sum_Produced", Export, One),
    ("Voltage_AC_Phase_1", PhaseVoltage(0), One),
    ("Voltage_AC_Phase_2", PhaseVoltage(1), One),
    ("Voltage_AC_Phase_3", PhaseVoltage(2), One),
    ("Current_AC_Phase_1", PhaseCurrent(0), One),
    ("Current_AC_Phase_2", PhaseCurrent(1), One),
    ("Current_AC_Phase_3", PhaseCurrent(2), One),
    ("Current_AC_Sum", Current, One),
    ("PowerFactor_Sum", PowerFactor, One),
    ("Frequency_Phase_Average", Frequency, One),
    ("PowerApparent_S_Sum", Not(Omitted::ApparentPower), One),
    ("PowerReactive_Q_Sum", Not(Omitted::ReactivePower), One),
    ("EnergyReactive_VArAC_Sum_Consumed", Not(Omitted::ReactivePower), One),
    // The same of a GEN24 with its first firmware.
    ("SMARTMETER_POWERACTIVE_MEAN_SUM_F64", Power, One),
    ("SMARTMETER_POWERACTIVE_MEAN_01_F64", PhasePower(0), One),
    ("SMARTMETER_POWERACTIVE_MEAN_02_F64", PhasePower(1), One),
    ("SMARTMETER_POWERACTIVE_MEAN_03_F64", PhasePower(2), One),
    ("SMARTMETER_ENERGYACTIVE_CONSUMED_SUM_F64", Import, One),
    ("SMARTMETER_ENERGYACTIVE_PRODUCED_SUM_F64", Export, One),
    ("SMARTMETER_VOLTAGE_MEAN_01_F64", PhaseVoltage(0), One),
    ("SMARTMETER_VOLTAGE_MEAN_02_F64", PhaseVoltage(1), One),
    ("SMARTMETER_VOLTAGE_MEAN_03_F64", PhaseVoltage(2), One),
    ("ACBRIDGE_CURRENT_ACTIVE_MEAN_01_F32", PhaseCurrent(0), One),
    ("ACBRIDGE_CURRENT_ACTIVE_MEAN_02_F32", PhaseCurrent(1), One),
    ("ACBRIDGE_CURRENT_ACTIVE_MEAN_03_F32", PhaseCurrent(2), One),
    ("ACBRIDGE_CURRENT_AC_SUM_NOW_F64", Current, One),
    ("SMARTMETER_FACTOR_POWER_SUM_F64", PowerFactor, One),
    ("GRID_FREQUENCY_MEAN_F32", Frequency, One),
];

/// By one of them an object is a meter's; beside each where it stands.
const METERS: [(&str, &str); 2] = [
    ("PowerReal_P_Sum", "Meter_Location_Current"),
    ("SMARTMETER_POWERACTIVE_MEAN_SUM_F64", "SMARTMETER_VALUE_LOCATION_U16"),
];

const INVERTER: &[Field] = &[
    ("PAC", PowerGenerated, One),
    ("TOTAL_ENERGY", Export, One),
    ("UAC", Voltage, One),
    ("IAC", Current, One),
    ("FAC", Frequency, One),
    ("DAY_ENERGY", Not(Omitted::DayCounter), One),
    ("YEAR_ENERGY", Not(Omitted::DayCounter), One),
];

fn decode(message: &Message<'_>) -> Outcome {
    if message.topic.level(1) == "fronius-bridge" {
        return bridge::decode(message);
    }
    let json = message.object()?;
    let head = json.get("Head").and_then(|head| head.get("Timestamp"));
    let data = json.get("Body").and_then(|body| body.get("Data")).unwrap_or(&json);
    let mut drafts = Drafts::default();
    take(data, "", head, &mut drafts);
    power_flow::take(data, head, &mut drafts);
    if drafts.drafts.is_empty() {
        // Scope System: an object of devices by their number.
        for (number, device) in data.fields().iter().filter(|(_, device)| device.is_object()) {
            take(device, number, head, &mut drafts);
        }
    }
    drafts.or_ignore(OwnWords(&json, &["Body", "Head"]))
}

fn take(device: &Json<'_>, channel: &str, head: Option<&Json<'_>>, drafts: &mut Drafts) {
    let of_gen24 = || device.get("COMPONENTS_TIME_STAMP_U64");
    let time = DeviceTime::from_json(device.get("TimeStamp").or_else(of_gen24).or(head));
    let mut draft = Draft::of(channel.to_owned(), time);
    if let Some((_, location)) = METERS.iter().find(|(power, _)| device.get(power).is_some()) {
        collect(device, METER, &mut draft, &mut drafts.omitted);
        if !is_at_the_grid(device.get(location)) {
            turn(&mut draft);
        }
        drafts.drafts.push(draft);
    } else if let Some(numbers) = numbers(device) {
        for (number, _) in numbers {
            let mut draft = Draft::of(number.to_string(), draft.time.clone());
            inverter(device, |field| field.get("Values")?.field(number), &mut draft, &mut drafts.omitted);
            drafts.drafts.push(draft);
        }
    } else if INVERTER.iter().any(|(name, ..)| device.field(name).is_some()) {
        inverter(
            device,
            |field| Some(field.field("Value").unwrap_or(field)),
            &mut draft,
            &mut drafts.omitted,
        );
        drafts.drafts.push(draft);
    } else if device.field("PowerReal_P_Sum").is_some() {
        draft.say_no_value();
        drafts.drafts.push(draft);
    }
}

/// Of all inverters at once (Scope System): each value is an object by their numbers.
fn numbers<'j, 'a>(data: &'j Json<'a>) -> Option<&'j [(Cow<'a, str>, Json<'a>)]> {
    let values = INVERTER.iter().find_map(|(name, ..)| data.get(name)?.get("Values"))?;
    values.is_object().then(|| values.fields())
}

/// An inverter's fields, of which `value` gives the value.
fn inverter<'j, 'a>(
    data: &'j Json<'a>,
    value: impl Fn(&'j Json<'a>) -> Option<&'j Json<'a>>,
    draft: &mut Draft,
    omitted: &mut Vec<Omission>,
) {
    for (name, quantity, unit) in INVERTER {
        if let Some(field) = data.field(name)
            && let Some(value) = value(field)
        {
            let told = field.get("Unit").and_then(Json::text).and_then(Unit::of_word);
            set_json(draft, *quantity, value, told.unwrap_or(*unit), name, omitted);
        }
    }
}

/// 0 is the point of connection; 1 the path of consumption, 3 another generator, from 256 on single consumers.
fn is_at_the_grid(location: Option<&Json<'_>>) -> bool {
    let location = location.and_then(Json::scalar).and_then(number);
    location.is_none_or(|location| location == 0.0)
}

/// Meters elsewhere give consumption as negative power. Their registers are named by direction and need nothing.
fn turn(draft: &mut Draft) {
    let phases = draft.measures.phases.iter_mut().map(|phase| &mut phase.power_w);
    for power in std::iter::once(&mut draft.measures.power_w).chain(phases) {
        *power = power.map(|power| 0.0 - power);
    }
}
