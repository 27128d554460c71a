//! evcc: its grid meter, inverters and charge points, a topic for each value. The home's power is computed and is no meter.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "evcc",
    title: "evcc",
    routes: &[
        ("evcc/site/+", "evcc"),
        ("evcc/site/+/+", "evcc"),
        ("evcc/site/+/+/+", "evcc"),
        ("evcc/site/+/+/+/+", "evcc"),
        ("evcc/loadpoints/+/+", "evcc"),
        ("evcc/status", "evcc"),
    ],
    reads: "channels `grid` (power, energy, returnEnergy, powers, currents), `pv/N`, `aux/N`, `ext/N` (power, energy), \
            `loadpoint/N` (chargePower, chargeTotalImport), `battery` and `battery/N` (soc)",
    units: "W, kWh, A, %",
    sign: "grid + import; pv feeds in; charging is import",
    time: "arrival",
    documents: &["https://docs.evcc.io/en/docs/integrations/mqtt-api"],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let path = message.topic.from(2);
    let levels: Vec<&str> = path.split('/').take(6).collect();
    let (channel, quantity, unit) = match levels.as_slice() {
        ["site", "gridPower"] | ["site", "grid", "power"] => ("grid".to_owned(), Power, One),
        ["site", "gridEnergy"] | ["site", "grid", "energy"] => ("grid".to_owned(), Import, Kilo),
        ["site", "grid", "returnEnergy"] => ("grid".to_owned(), Export, Kilo),
        ["site", "pv", number, "power"] => (format!("pv/{number}"), PowerGenerated, One),
        ["site", "batterySoc"] | ["site", "battery", "soc"] => ("battery".to_owned(), StateOfCharge, One),
        ["site", "battery", number, "soc"] | ["site", "battery", "devices", number, "soc"] => {
            (format!("battery/{number}"), StateOfCharge, One)
        }
        ["site", "pv", number, "energy"] => (format!("pv/{number}"), Export, Kilo),
        // Consumers, and meters of whatever a user likes.
        ["site", kind @ ("aux" | "ext"), number, "power"] => (format!("{kind}/{number}"), Power, One),
        ["site", kind @ ("aux" | "ext"), number, "energy"] => (format!("{kind}/{number}"), Import, Kilo),
        ["site", "grid", name @ ("powers" | "currents"), phase] => match (*name, of_phase(phase)) {
            ("powers", Some(phase)) => ("grid".to_owned(), PhasePower(phase), One),
            (_, Some(phase)) => ("grid".to_owned(), PhaseCurrent(phase), One),
            (_, None) => return Err(Ignored::OtherQuantity.into()),
        },
        ["loadpoints", number, "chargePower"] => (format!("loadpoint/{number}"), Power, One),
        ["loadpoints", number, "chargeTotalImport"] => (format!("loadpoint/{number}"), Import, Kilo),
        ["status"] => return Err(Ignored::Status.into()),
        ["site", name @ ("pvPower" | "pvEnergy" | "homePower" | "batteryPower")]
        | ["site", "battery", name @ ("power" | "energy")] => {
            return Err(Stop::left_out(name, Omitted::Aggregate));
        }
        ["loadpoints", _, name @ ("chargedEnergy" | "sessionEnergy")] => {
            return Err(Stop::left_out(name, Omitted::DayCounter));
        }
        _ => return Err(Ignored::OtherQuantity.into()),
    };
    let mut draft = Draft::of(channel, DeviceTime::Absent);
    let mut omitted = Vec::new();
    draft.set(quantity, &message.value()?, unit, path, &mut omitted);
    Drafts::one(draft, omitted, Ignored::NoValue)
}

/// `l1`, or `1`.
fn of_phase(level: &str) -> Option<u8> {
    match level.trim_start_matches('l') {
        "1" => Some(0),
        "2" => Some(1),
        "3" => Some(2),
        _ => None,
    }
}
