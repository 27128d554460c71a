//! solaredge2mqtt: an inverter and its meters by Modbus, one JSON object each. A meter there counts feeding in as
//! positive.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "solaredge",
    title: "SolarEdge (solaredge2mqtt)",
    routes: &[("solaredge/modbus/#", "solaredge/{3+}")],
    reads: "inverter: ac.power.actual, energytotal, ac.voltage, ac.current, ac.frequency; meter: power.actual, \
            energy.totalimport, energy.totalexport; battery: state_of_charge",
    units: "W, Wh, V, A, Hz, %",
    sign: "an inverter feeds in; a meter's power is + export and is turned",
    time: "`timestamp` where it is there, else arrival",
    documents: &["https://github.com/DerOetzi/solaredge2mqtt"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    let time = DeviceTime::from_json(json.get("timestamp"));
    let mut draft = Draft::at(time);
    let mut omitted = Vec::new();
    if let Some(ac) = json.get("ac") {
        electrical(ac, &mut draft, &mut omitted);
        if let Some(total) = json.get("energytotal") {
            set_json(&mut draft, Export, total, One, "energytotal", &mut omitted);
        }
    } else if json.get("power").is_some_and(Json::is_object) {
        electrical(&json, &mut draft, &mut omitted);
        let energy = json.get("energy").unwrap_or(&Json::Null);
        for (name, quantity) in [("totalimport", Import), ("totalexport", Export)] {
            if let Some(value) = energy.get(name) {
                set_json(&mut draft, quantity, value, One, name, &mut omitted);
            }
        }
    } else if let Some(soc) = json.get("state_of_charge") {
        // All else of a battery is its direct current side.
        set_json(&mut draft, StateOfCharge, soc, One, "state_of_charge", &mut omitted);
    }
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}

fn electrical(object: &Json<'_>, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    let inner = |group: &str, name: &str| match object.get(group) {
        Some(group) if group.is_object() => group.get(name),
        Some(value) if name == "actual" => Some(value),
        _ => None,
    };
    for (group, name, quantity) in [
        ("power", "actual", PowerGenerated),
        ("power", "l1", PhaseGenerated(0)),
        ("power", "l2", PhaseGenerated(1)),
        ("power", "l3", PhaseGenerated(2)),
        ("voltage", "l1n", PhaseVoltage(0)),
        ("voltage", "l2n", PhaseVoltage(1)),
        ("voltage", "l3n", PhaseVoltage(2)),
        ("current", "actual", Current),
        ("current", "l1", PhaseCurrent(0)),
        ("current", "l2", PhaseCurrent(1)),
        ("current", "l3", PhaseCurrent(2)),
        ("frequency", "actual", Frequency),
        ("power", "apparent", Not(Omitted::ApparentPower)),
        ("power", "reactive", Not(Omitted::ReactivePower)),
    ] {
        if let Some(value) = inner(group, name) {
            set_json(draft, quantity, value, One, name, omitted);
        }
    }
}
