//! ESPHome: `<node>/sensor/<name>/state`. The name is the user's, the unit is only in the discovery: an energy counts where
//! its name or the route says the unit.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "esphome",
    title: "ESPHome",
    routes: &[("+/sensor/+/state", "{1}")],
    reads: "power, energy, voltage, current, frequency, power factor by common names; what stands before the quantity \
            in the name is the channel (`fridge_power` → `fridge`); `power_delivered` of its dsmr component in kW",
    units: "W, V, A, Hz; energies by the name (`_kwh`, `_wh`) or the route's `energy_unit`, else `unit_unknown`",
    sign: "+ import",
    time: "arrival",
    documents: &["https://esphome.io/components/mqtt.html", "https://esphome.io/components/sensor/dsmr.html"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// The names of the dsmr component, which are in kW and kWh.
const DSMR: &[Field] = &[
    ("power_delivered", PowerImport, Kilo),
    ("power_returned", PowerExport, Kilo),
    ("power_delivered_l1", PhaseImport(0), Kilo),
    ("power_delivered_l2", PhaseImport(1), Kilo),
    ("power_delivered_l3", PhaseImport(2), Kilo),
    ("power_returned_l1", PhaseExport(0), Kilo),
    ("power_returned_l2", PhaseExport(1), Kilo),
    ("power_returned_l3", PhaseExport(2), Kilo),
    ("energy_delivered_tariff1", ImportTariff(0), Kilo),
    ("energy_delivered_tariff2", ImportTariff(1), Kilo),
    ("energy_returned_tariff1", ExportTariff(0), Kilo),
    ("energy_returned_tariff2", ExportTariff(1), Kilo),
    ("energy_delivered_lux", Import, Kilo),
    ("energy_returned_lux", Export, Kilo),
];

/// Where the quantity begins in a name; what is before is the channel.
const QUANTITIES: [&str; 12] = [
    "active_power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "total_energy",
    "total_daily_energy",
    "import",
    "export",
    "power",
    "energy",
    "voltage",
    "current",
];

fn decode(message: &Message<'_>) -> Outcome {
    let name = message.topic.last_but_one();
    if find(DSMR, name).is_some() {
        return message.single(Draft::default(), name, DSMR);
    }
    let text = message.text()?;
    if is_status_word(text) {
        return Err(Ignored::Status.into());
    }
    let at = QUANTITIES.iter().filter_map(|quantity| name.find(quantity)).min().unwrap_or(0);
    let (channel, quantity) = name.split_at(at);
    let mut draft = Draft::of(channel.trim_matches(['_', '-']).to_owned(), DeviceTime::Absent);
    let mut omitted = Vec::new();
    let value = Json::Text(message.value()?.into());
    super::names::take(quantity, &value, message.options.energy_unit, &mut draft, &mut omitted)?;
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
