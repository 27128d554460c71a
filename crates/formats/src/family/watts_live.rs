//! Watts Live: a card in a Danish meter (Kamstrup), `watts/<serial>/measurement`.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "watts-live",
    title: "Watts Live",
    routes: &[("watts/+/measurement", "watts-live/{2}")],
    reads: "positive and negative active_power and active_energy, active_power, voltage and current of L1 to L3",
    units: "W, Wh, V, A",
    sign: "positive is import, negative is export",
    time: "arrival",
    documents: &["https://github.com/DonSidro/Watts-Live-HA"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("positive_active_energy", Import, One),
    ("negative_active_energy", Export, One),
    ("positive_active_power", PowerImport, One),
    ("negative_active_power", PowerExport, One),
    ("positive_active_power_l1", PhaseImport(0), One),
    ("positive_active_power_l2", PhaseImport(1), One),
    ("positive_active_power_l3", PhaseImport(2), One),
    ("negative_active_power_l1", PhaseExport(0), One),
    ("negative_active_power_l2", PhaseExport(1), One),
    ("negative_active_power_l3", PhaseExport(2), One),
    ("voltage_l1", PhaseVoltage(0), One),
    ("voltage_l2", PhaseVoltage(1), One),
    ("voltage_l3", PhaseVoltage(2), One),
    ("current_l1", PhaseCurrent(0), One),
    ("current_l2", PhaseCurrent(1), One),
    ("current_l3", PhaseCurrent(2), One),
];

fn decode(message: &Message<'_>) -> Outcome {
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    let json = message.object()?;
    collect(&json, FIELDS, &mut draft, &mut omitted);
    Drafts::one(draft, omitted, OwnWords(&json, &["reactive_power", "reactive_energy"]))
}
