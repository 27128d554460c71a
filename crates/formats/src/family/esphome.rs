//! ESPHome: `<node>/sensor/<name>/state`. The name is the user's, the unit is only in the discovery: an energy counts where
//! its name or the route says the unit.

use super::names::{Named, Units, with_channel};
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "esphome",
    title: "ESPHome",
    routes: &[("+/sensor/+/state", "esphome/{1}")],
    reads: "power, energy, voltage, current, frequency, power factor by common names; the words that say nothing \
            of the measure are the channel (`fridge_power` and `power_fridge` → `fridge`); `power_delivered` of its dsmr component in kW",
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

fn decode(message: &Message<'_>) -> Outcome {
    let name = message.topic.last_but_one();
    if find(DSMR, name).is_some() {
        return message.single(Draft::default(), name, DSMR);
    }
    let (channel, meaning) = with_channel(name);
    let Some(meaning) = meaning else { return Err(Ignored::OtherQuantity.into()) };
    let mut draft = Draft::of(channel, DeviceTime::Absent);
    let mut omitted = Vec::new();
    let value = Json::Text(message.value()?.into());
    let mut named = Named::new(Units::of_people(message.options));
    named.take_as(&meaning, name, &value);
    named.put(&mut draft, &mut omitted);
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
