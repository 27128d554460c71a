//! Tibber Pulse: its API's live measurements as bridges put them on MQTT, of which accumulated consumption is a day
//! counter and `lastMeterConsumption` the register; and what tibber-pulse-bot reads from a Pulse at home, as one JSON object,
//! before its version 1.0.27 a topic for each value.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "tibber",
    title: "Tibber Pulse (live measurements, tibber-pulse-bot)",
    routes: &[("tibber/+", "tibber/{2}"), ("tibber/+/+", "tibber/{2}")],
    reads: "power − powerProduction, lastMeterConsumption, lastMeterProduction, voltagePhase1–3, currentL1–3, \
            powerFactor; of tibber-pulse-bot power_total, energy_import_total, energy_export_total, the phases, frequency",
    units: "W, kWh, V, A; tibber-pulse-bot: Wh",
    sign: "power import, powerProduction export; power_total + import",
    time: "`timestamp`; tibber-pulse-bot: arrival",
    documents: &[
        "https://developer.tibber.com/docs/reference#livemeasurement",
        "https://github.com/0Bu/tibber-pulse-bot",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("power", PowerImport, One),
    ("powerProduction", PowerExport, One),
    ("lastMeterConsumption", Import, Kilo),
    ("lastMeterProduction", Export, Kilo),
    ("voltagePhase1", PhaseVoltage(0), One),
    ("voltagePhase2", PhaseVoltage(1), One),
    ("voltagePhase3", PhaseVoltage(2), One),
    ("currentL1", PhaseCurrent(0), One),
    ("currentL2", PhaseCurrent(1), One),
    ("currentL3", PhaseCurrent(2), One),
    ("powerFactor", PowerFactor, One),
    ("accumulatedConsumption", Not(Omitted::DayCounter), One),
    ("accumulatedProduction", Not(Omitted::DayCounter), One),
    ("powerReactive", Not(Omitted::ReactivePower), One),
];

/// Of tibber-pulse-bot, by its table of OBIS codes.
const PULSE: &[Field] = &[
    ("power_total", Power, One),
    ("power_l1", PhasePower(0), One),
    ("power_l2", PhasePower(1), One),
    ("power_l3", PhasePower(2), One),
    ("energy_import_total", Import, One),
    ("energy_import_t1", ImportTariff(0), One),
    ("energy_import_t2", ImportTariff(1), One),
    ("energy_export_total", Export, One),
    ("energy_export_t1", ExportTariff(0), One),
    ("energy_export_t2", ExportTariff(1), One),
    ("voltage_l1", PhaseVoltage(0), One),
    ("voltage_l2", PhaseVoltage(1), One),
    ("voltage_l3", PhaseVoltage(2), One),
    ("current_l1", PhaseCurrent(0), One),
    ("current_l2", PhaseCurrent(1), One),
    ("current_l3", PhaseCurrent(2), One),
    ("frequency", Frequency, One),
];

/// What else a live measurement has, and a telegram.
const OTHERS: &[&str] = &[
    "accumulatedCost",
    "accumulatedReward",
    "averagePower",
    "currency",
    "maxPower",
    "minPower",
    "signalStrength",
    "device_id",
    "manufacturer",
    "meter_serial",
    "server_id",
    "obis",
];

fn decode(message: &Message<'_>) -> Outcome {
    let name = message.topic.last();
    if name == "diagnostics" {
        return Err(Ignored::Status.into());
    }
    if find(PULSE, name).is_some() {
        return message.single(Draft::default(), name, PULSE);
    }
    if OTHERS.contains(&name) {
        return Err(Ignored::OtherQuantity.into());
    }
    let json = message.object()?;
    // The websocket's frame, the answer in it, or the measurement alone.
    let answer = json.get("payload").filter(|frame| frame.get("data").is_some()).unwrap_or(&json);
    let data = answer.get("data").unwrap_or(answer);
    let live = data.get("liveMeasurement").unwrap_or(data);
    let mut draft = Draft::at(DeviceTime::from_json(live.get("timestamp")));
    let mut omitted = Vec::new();
    collect(live, FIELDS, &mut draft, &mut omitted);
    collect(live, PULSE, &mut draft, &mut omitted);
    if OwnWords(&json, &["payload", "data", "errors"]).are_there() {
        return Drafts::one(draft, omitted, Ignored::OtherQuantity);
    }
    Drafts::one(draft, omitted, OwnWords(live, OTHERS))
}
