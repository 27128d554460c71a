//! openWB 1.9 (`openWB/evu/W`) and 2.x (`openWB/counter/0/get/power`): wallboxes, the grid meter and inverters.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "openwb",
    title: "openWB",
    routes: &[("openWB/+/+", "openwb"), ("openWB/+/+/+", "openwb"), ("openWB/+/+/+/+", "openwb")],
    reads: "1.9: evu, lp/N, pv, pv/N with W, WhImported, WhExported, kWhCounter, phases; 2.x: counter/N, chargepoint/N, \
            pv/N with get/power, imported, exported, powers, voltages, currents, frequency; bat and bat/N with get/soc",
    units: "W, Wh, kWh (`kWhCounter`), V, A, Hz, %",
    sign: "+ import; inverters are negative when they feed in",
    time: "arrival",
    documents: &["https://github.com/snaptec/openWB", "https://github.com/openWB/core"],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const VERSION_1: &[Field] = &[
    ("W", Power, One),
    ("WhImported", Import, One),
    ("WhExported", Export, One),
    ("kWhCounter", Import, Kilo),
    ("WPhase1", PhasePower(0), One),
    ("WPhase2", PhasePower(1), One),
    ("WPhase3", PhasePower(2), One),
    ("VPhase1", PhaseVoltage(0), One),
    ("VPhase2", PhaseVoltage(1), One),
    ("VPhase3", PhaseVoltage(2), One),
    ("APhase1", PhaseCurrent(0), One),
    ("APhase2", PhaseCurrent(1), One),
    ("APhase3", PhaseCurrent(2), One),
    ("Hz", Frequency, One),
    ("DailyYieldImportKwh", Not(Omitted::DayCounter), One),
    ("DailyYieldExportKwh", Not(Omitted::DayCounter), One),
    ("DailyYieldKwh", Not(Omitted::DayCounter), One),
    ("kWhActualCharged", Not(Omitted::DayCounter), One),
    ("kWhDailyCharged", Not(Omitted::DayCounter), One),
    ("kWhChargedSincePlugged", Not(Omitted::DayCounter), One),
];

const VERSION_2: &[Field] = &[
    ("power", Power, One),
    ("imported", Import, One),
    ("exported", Export, One),
    ("frequency", Frequency, One),
    ("daily_imported", Not(Omitted::DayCounter), One),
    ("daily_exported", Not(Omitted::DayCounter), One),
    ("daily_yield", Not(Omitted::DayCounter), One),
];

const INVERTER_1: &[Field] = &[("W", Power, One), ("WhCounter", Export, One)];

const BATTERY: &[Field] = &[("soc", StateOfCharge, One)];

fn decode(message: &Message<'_>) -> Outcome {
    let levels: Vec<&str> = message.topic.0.split('/').take(6).collect();
    match levels.as_slice() {
        [_, kind @ ("counter" | "chargepoint" | "pv"), number, "get", name] => {
            version_2(message, format!("{kind}/{number}"), name)
        }
        [_, "bat", "get", name] => message.single(Draft::of("bat", DeviceTime::Absent), name, BATTERY),
        [_, "bat", number, "get", name] => {
            message.single(Draft::of(format!("bat/{number}"), DeviceTime::Absent), name, BATTERY)
        }
        [_, "evu", name] => message.single(Draft::of("evu", DeviceTime::Absent), name, VERSION_1),
        [_, "pv", "WhCounter"] => {
            message.single(Draft::of("pv", DeviceTime::Absent), "WhCounter", INVERTER_1)
        }
        [_, "pv", name] => message.single(Draft::of("pv", DeviceTime::Absent), name, VERSION_1),
        [_, "pv", number @ ("1" | "2"), name] => {
            message.single(Draft::of(format!("pv/{number}"), DeviceTime::Absent), name, INVERTER_1)
        }
        [_, "lp", number, name] => {
            message.single(Draft::of(format!("lp/{number}"), DeviceTime::Absent), name, VERSION_1)
        }
        [_, "set" | "config", ..] => Err(Ignored::Command.into()),
        _ => Err(Ignored::OtherQuantity.into()),
    }
}

fn version_2(message: &Message<'_>, channel: String, name: &str) -> Outcome {
    let mut draft = Draft::of(channel, DeviceTime::Absent);
    let of_phase: fn(u8) -> Quantity = match name {
        "powers" => PhasePower,
        "voltages" => PhaseVoltage,
        "currents" => PhaseCurrent,
        _ => return message.single(draft, name, VERSION_2),
    };
    let json = message.json()?;
    let mut omitted = Vec::new();
    for (phase, value) in (0_u8..3).zip(json.items()) {
        set_json(&mut draft, of_phase(phase), value, One, name, &mut omitted);
    }
    Drafts::one(draft, omitted, Ignored::NoValue)
}
