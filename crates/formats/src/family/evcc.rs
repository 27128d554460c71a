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
    reads: "channels `grid` (power, energy), `pv/N` (power, energy), `loadpoint/N` (chargePower, \
            chargeTotalImport), `battery` and `battery/N` (soc)",
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
