//! go-eCharger (API v2 by MQTT): `go-eCharger/<serial>/<key>`, each value JSON.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "go-echarger",
    title: "go-eCharger",
    routes: &[("go-eCharger/+/+", "{2}")],
    reads: "`nrg` (voltages, currents and powers of the phases, total power, power factors), `eto`, `fhz`",
    units: "V, A, W, Wh, Hz",
    sign: "+ into the car (import)",
    time: "arrival",
    documents: &["https://github.com/goecharger/go-eCharger-API-v2/blob/main/apikeys-en.md"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// What stands where in `nrg`: U of L1 to L3 and N, I of L1 to L3, P of L1 to L3 and N, total, power factors.
const NRG: [(usize, Quantity); 10] = [
    (0, PhaseVoltage(0)),
    (1, PhaseVoltage(1)),
    (2, PhaseVoltage(2)),
    (4, PhaseCurrent(0)),
    (5, PhaseCurrent(1)),
    (6, PhaseCurrent(2)),
    (7, PhasePower(0)),
    (8, PhasePower(1)),
    (9, PhasePower(2)),
    (11, Power),
];

fn decode(message: &Message<'_>) -> Outcome {
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    match message.topic.last() {
        "nrg" => {
            let json = message.json()?;
            for (index, quantity) in NRG {
                if let Some(value) = json.items().get(index) {
                    set_json(&mut draft, quantity, value, One, "nrg", &mut omitted)?;
                }
            }
        }
        "eto" => {
            draft.set(Import, &message.value()?, One, "eto", &mut omitted)?;
        }
        "fhz" => {
            draft.set(Frequency, &message.value()?, One, "fhz", &mut omitted)?;
        }
        "wh" | "dwo" => return Err(Ignored::NotTheMeter.into()),
        "result" | "set" => return Err(Ignored::Command.into()),
        _ => return Err(Ignored::OtherQuantity.into()),
    }
    Drafts::one(draft, omitted, Ignored::NoValue)
}
