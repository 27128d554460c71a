//! go-eCharger by MQTT. API v2: `go-eCharger/<serial>/<key>`, each value JSON, at first with a slash before it; API v1:
//! everything in one object on `go-eCharger/<serial>/status`.

use super::prelude::*;
use crate::number::number;

pub(super) const FAMILY: Family = Family {
    name: "go-echarger",
    title: "go-eCharger",
    routes: &[("go-eCharger/+/+", "go-echarger/{2}"), ("/go-eCharger/+/+", "go-echarger/{3}")],
    reads: "`nrg` (voltages, currents and powers of the phases, total power, power factors), `eto`, `fhz`; the same \
            of `status`",
    units: "V, A, W, Wh, Hz; of `status` V, 0.1 A, 0.1 kW, the total 0.01 kW, `eto` 0.1 kWh; of its firmware 052 V, A, W, \
            and `eto`, which is sometimes in Wh, is left out",
    sign: "+ into the car (import)",
    time: "arrival",
    documents: &[
        "https://github.com/goecharger/go-eCharger-API-v2/blob/main/apikeys-en.md",
        "https://github.com/goecharger/go-eCharger-API-v1",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// What stands where in `nrg`, and its unit in API v1: U of L1 to L3 and N, I of L1 to L3, P of L1 to L3 and N, total,
/// power factors.
const NRG: [(usize, Quantity, Unit); 10] = [
    (0, PhaseVoltage(0), One),
    (1, PhaseVoltage(1), One),
    (2, PhaseVoltage(2), One),
    (4, PhaseCurrent(0), Unit::Deci),
    (5, PhaseCurrent(1), Unit::Deci),
    (6, PhaseCurrent(2), Unit::Deci),
    (7, PhasePower(0), Unit::Hecto),
    (8, PhasePower(1), Unit::Hecto),
    (9, PhasePower(2), Unit::Hecto),
    (11, Power, Unit::Deca),
];

fn decode(message: &Message<'_>) -> Outcome {
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    match message.topic.last() {
        "nrg" => {
            let json = message.json()?;
            for (index, quantity, _) in NRG {
                if let Some(value) = json.items().get(index) {
                    set_json(&mut draft, quantity, value, One, "nrg", &mut omitted);
                }
            }
        }
        "eto" => {
            draft.set(Import, &message.value()?, One, "eto", &mut omitted);
        }
        "fhz" => {
            draft.set(Frequency, &message.value()?, One, "fhz", &mut omitted);
        }
        "status" => {
            let json = message.object()?;
            v1(&json, &mut draft, &mut omitted);
        }
        "wh" => return Err(Stop::left_out("wh", Omitted::DayCounter)),
        // The energy at which it shall end, a setting.
        "dwo" => return Err(Ignored::Status.into()),
        "result" | "set" => return Err(Ignored::Command.into()),
        _ => return Err(Ignored::OtherQuantity.into()),
    }
    Drafts::one(draft, omitted, Ignored::NoValue)
}

/// The object of API v1. At a single phase that was connected to N, L1 stands in the places of N (`pha` and its
/// document's "App logic").
fn v1(status: &Json<'_>, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    let nrg = status.get("nrg").map(Json::items).unwrap_or_default();
    let read = |value: &Json<'_>| value.scalar().and_then(number).unwrap_or_default();
    let volts = |index: usize| nrg.get(index).map_or(0.0, read);
    let one_phase = status.get("pha").map(read).is_some_and(|flags| (8.0..16.0).contains(&flags));
    let at_n = one_phase && volts(3) > volts(0);
    let is_in_watts = is_in_watts(volts);
    for (index, quantity, unit) in NRG {
        let index = match index {
            0 if at_n => 3,
            7 if at_n => 10,
            index => index,
        };
        if let Some(value) = nrg.get(index) {
            set_json(draft, quantity, value, if is_in_watts { One } else { unit }, "nrg", omitted);
        }
    }
    let of_052 = status.get("fwv").and_then(Json::scalar).is_some_and(|version| version.starts_with("052"));
    match status.get("eto") {
        Some(_) if of_052 || is_in_watts => omitted.push(Omission::new("eto", Omitted::UnitUnknown)),
        Some(value) => set_json(draft, Import, value, Unit::Hecto, "eto", omitted),
        None => {}
    }
}

/// The total is in a tenth of the phases' unit, so it has the larger number by far; where they are as large, all are in W, as
/// firmware 052 gives them against its document.
fn is_in_watts(value: impl Fn(usize) -> f64) -> bool {
    const ROUNDING: f64 = 20.0;
    let (phases, total) = (value(7) + value(8) + value(9) + value(10), value(11));
    total > ROUNDING && phases > total / 2.0
}
