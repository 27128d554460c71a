//! mbmd (and its ancestor gosdm630): `mbmd/<device>/<measurement>` of Modbus meters such as Eastron's SDM. A phase and a
//! tariff have a level of their own: `Voltage/L1`, `Import/T1`.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "mbmd",
    title: "mbmd (Eastron SDM and other Modbus meters)",
    routes: &[("mbmd/+/+", "mbmd/{2}"), ("mbmd/+/+/+", "mbmd/{2}")],
    reads: "Power, Import, Export, Voltage/L1–3, Current/L1–3, Power/L1–3, Cosphi, Frequency",
    units: "W, kWh, V, A, Hz",
    sign: "+ import",
    time: "arrival",
    documents: &["https://github.com/volkszaehler/mbmd (server/mqtt.go, meters/measurements.go)"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("Power", Power, One),
    ("PowerL1", PhasePower(0), One),
    ("PowerL2", PhasePower(1), One),
    ("PowerL3", PhasePower(2), One),
    ("ImportPower", PowerImport, One),
    ("ExportPower", PowerExport, One),
    ("Import", Import, Kilo),
    ("Export", Export, Kilo),
    ("Sum", Not(Omitted::Aggregate), One),
    ("ImportL1", Not(Omitted::PartialRegister), One),
    ("ImportL2", Not(Omitted::PartialRegister), One),
    ("ImportL3", Not(Omitted::PartialRegister), One),
    ("ImportT1", ImportTariff(0), Kilo),
    ("ImportT2", ImportTariff(1), Kilo),
    ("ExportL1", Not(Omitted::PartialRegister), One),
    ("ExportL2", Not(Omitted::PartialRegister), One),
    ("ExportL3", Not(Omitted::PartialRegister), One),
    ("ExportT1", ExportTariff(0), Kilo),
    ("ExportT2", ExportTariff(1), Kilo),
    ("Voltage", Voltage, One),
    ("VoltageL1", PhaseVoltage(0), One),
    ("VoltageL2", PhaseVoltage(1), One),
    ("VoltageL3", PhaseVoltage(2), One),
    ("Current", Current, One),
    ("CurrentL1", PhaseCurrent(0), One),
    ("CurrentL2", PhaseCurrent(1), One),
    ("CurrentL3", PhaseCurrent(2), One),
    ("Cosphi", PowerFactor, One),
    ("Frequency", Frequency, One),
    ("ApparentPower", Not(Omitted::ApparentPower), One),
    ("ReactivePower", Not(Omitted::ReactivePower), One),
];

fn decode(message: &Message<'_>) -> Outcome {
    let name = message.topic.last();
    if name == "status" {
        return Err(Ignored::Status.into());
    }
    let is_part = matches!(name, "L1" | "L2" | "L3" | "T1" | "T2") && message.topic.count() > 3;
    if is_part {
        let name = format!("{}{name}", message.topic.last_but_one());
        return message.single(Draft::default(), &name, FIELDS);
    }
    message.single(Draft::default(), name, FIELDS)
}
