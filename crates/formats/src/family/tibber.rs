//! Tibber Pulse by its API's live measurements, as bridges (tibber2mqtt and others) put them on MQTT. Accumulated
//! consumption is a day counter; `lastMeterConsumption` is the register.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "tibber",
    title: "Tibber Pulse (live measurements)",
    routes: &[("tibber/+", "tibber/{2}"), ("tibber/+/+", "tibber/{2}")],
    reads: "power − powerProduction, lastMeterConsumption, lastMeterProduction, voltagePhase1–3, currentL1–3, \
            powerFactor",
    units: "W, kWh, V, A",
    sign: "power import, powerProduction export",
    time: "`timestamp`",
    documents: &["https://developer.tibber.com/docs/reference#livemeasurement"],
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

/// What else a live measurement has.
const OTHERS: &[&str] = &[
    "accumulatedCost",
    "accumulatedReward",
    "averagePower",
    "currency",
    "maxPower",
    "minPower",
    "signalStrength",
];

fn decode(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    // The websocket's frame, the answer in it, or the measurement alone.
    let answer = json.get("payload").filter(|frame| frame.get("data").is_some()).unwrap_or(&json);
    let data = answer.get("data").unwrap_or(answer);
    let live = data.get("liveMeasurement").unwrap_or(data);
    let mut draft = Draft::at(DeviceTime::from_json(live.get("timestamp")));
    let mut omitted = Vec::new();
    collect(live, FIELDS, &mut draft, &mut omitted);
    if OwnWords(&json, &["payload", "data", "errors"]).are_there() {
        return Drafts::one(draft, omitted, Ignored::OtherQuantity);
    }
    Drafts::one(draft, omitted, OwnWords(live, OTHERS))
}
