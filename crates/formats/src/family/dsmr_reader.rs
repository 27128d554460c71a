//! dsmr-reader: `dsmr/json` with a whole telegram, or a topic for each value below `dsmr/reading/`. Power is in kW,
//! each tariff has a register: only together they are the meter's.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "dsmr-reader",
    title: "dsmr-reader (Dutch and Belgian smart meters)",
    routes: &[("dsmr/+", "dsmr-reader"), ("dsmr/+/+", "dsmr-reader")],
    reads: "electricity_delivered_1 + _2, electricity_returned_1 + _2, electricity_currently_delivered − _returned, \
            phases",
    units: "kWh, kW, V, A",
    sign: "delivered = import",
    time: "`timestamp` of the JSON; arrival for topics of one value",
    documents: &[
        "https://dsmr-reader.readthedocs.io/en/v5/reference/mqtt.html (dsmrreader/dsmr-reader docs)",
    ],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("electricity_delivered_1", ImportTariff(0), Kilo),
    ("electricity_delivered_2", ImportTariff(1), Kilo),
    ("electricity_returned_1", ExportTariff(0), Kilo),
    ("electricity_returned_2", ExportTariff(1), Kilo),
    ("electricity_currently_delivered", PowerImport, Kilo),
    ("electricity_currently_returned", PowerExport, Kilo),
    ("phase_currently_delivered_l1", PhaseImport(0), Kilo),
    ("phase_currently_delivered_l2", PhaseImport(1), Kilo),
    ("phase_currently_delivered_l3", PhaseImport(2), Kilo),
    ("phase_currently_returned_l1", PhaseExport(0), Kilo),
    ("phase_currently_returned_l2", PhaseExport(1), Kilo),
    ("phase_currently_returned_l3", PhaseExport(2), Kilo),
    ("phase_voltage_l1", PhaseVoltage(0), One),
    ("phase_voltage_l2", PhaseVoltage(1), One),
    ("phase_voltage_l3", PhaseVoltage(2), One),
    ("phase_power_current_l1", PhaseCurrent(0), One),
    ("phase_power_current_l2", PhaseCurrent(1), One),
    ("phase_power_current_l3", PhaseCurrent(2), One),
];

/// Topics of counters of a day, a month and a year.
const TOTALS: [&str; 5] =
    ["day-consumption", "day-totals", "current-month", "current-year", "current-period"];

/// What else is in its telegrams.
const OTHERS: &[&str] =
    &["extra_device_delivered", "extra_device_timestamp", "dsmr_version", "electricity_tariff", "gas"];

fn decode(message: &Message<'_>) -> Outcome {
    let name = message.topic.last();
    if !message.text()?.starts_with('{') {
        return match message.topic.last_but_one() {
            "reading" | "telegram" => message.single(Draft::default(), name, FIELDS),
            folder if TOTALS.contains(&folder) => Err(Stop::left_out(name, Omitted::DayCounter)),
            "meter-stats" => Err(Ignored::OtherQuantity.into()),
            _ if name == "raw" => Err(Ignored::OtherQuantity.into()),
            _ => Err(Stop::NotThisFamily),
        };
    }
    let json = message.json()?;
    if TOTALS.contains(&name) {
        return Err(Stop::left_out(name, Omitted::DayCounter));
    }
    let mut draft = Draft::at(DeviceTime::from_json(json.get("timestamp")));
    let mut omitted = Vec::new();
    collect(&json, FIELDS, &mut draft, &mut omitted);
    Drafts::one(draft, omitted, OwnWords(&json, OTHERS))
}
