//! DSMR-logger (DSMR-API firmware): `DSMR-API/<field>` with one field of the telegram, its value and its unit.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "dsmr-api",
    title: "DSMR-logger firmware (DSMR-API)",
    routes: &[("DSMR-API/+", "dsmr-api")],
    reads: "power_delivered, power_returned, voltage_lN, current_lN, power_delivered_lN, power_returned_lN; the \
            tariffs' registers come one by one and are not the meter's",
    units: "as the payload says: kWh, kW, V, A",
    sign: "delivered = import",
    time: "arrival",
    documents: &["https://github.com/mrWheel/DSMRloggerAPI", "https://mrwheel-docs.gitbook.io/dsmrloggerapi"],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("power_delivered", PowerImport, Kilo),
    ("power_returned", PowerExport, Kilo),
    ("energy_delivered_tariff1", ImportTariff(0), Kilo),
    ("energy_delivered_tariff2", ImportTariff(1), Kilo),
    ("energy_returned_tariff1", ExportTariff(0), Kilo),
    ("energy_returned_tariff2", ExportTariff(1), Kilo),
    ("power_delivered_l1", PhaseImport(0), Kilo),
    ("power_delivered_l2", PhaseImport(1), Kilo),
    ("power_delivered_l3", PhaseImport(2), Kilo),
    ("power_returned_l1", PhaseExport(0), Kilo),
    ("power_returned_l2", PhaseExport(1), Kilo),
    ("power_returned_l3", PhaseExport(2), Kilo),
    ("voltage_l1", PhaseVoltage(0), One),
    ("voltage_l2", PhaseVoltage(1), One),
    ("voltage_l3", PhaseVoltage(2), One),
    ("current_l1", PhaseCurrent(0), One),
    ("current_l2", PhaseCurrent(1), One),
    ("current_l3", PhaseCurrent(2), One),
];

/// `{"power_delivered":[{"value":0.44,"unit":"kW"}]}`; several fields in one message are taken together.
fn decode(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    for (name, value) in json.fields() {
        let Some((_, quantity, usual)) = find(FIELDS, name) else { continue };
        let entry = value.items().first().unwrap_or(value);
        let unit = entry.get("unit").and_then(Json::text).and_then(Unit::of_word).unwrap_or(*usual);
        let value = entry.field("value").unwrap_or(entry);
        set_json(&mut draft, *quantity, value, unit, name, &mut omitted);
    }
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
