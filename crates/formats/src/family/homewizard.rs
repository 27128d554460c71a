//! HomeWizard P1 meter, kWh meters and Energy Socket: the JSON of their local API (v1 and v2), as bridges put it on
//! MQTT.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "homewizard",
    title: "HomeWizard (local API v1 and v2)",
    routes: &[("homewizard/+", "homewizard/{2}"), ("homewizard/+/+", "homewizard/{2}")],
    reads: "total_power_import_kwh, total_power_export_kwh, active_power_w, phases, voltage, current, power factor, \
            frequency; v2: energy_import_kwh, energy_export_kwh, power_w",
    units: "as the names say: kWh, W, V, A, Hz",
    sign: "+ import",
    time: "`timestamp` (v2, without zone); else arrival",
    documents: &[
        "https://api-documentation.homewizard.com/docs/v1/measurement",
        "https://api-documentation.homewizard.com/docs/v2/measurement",
        "https://github.com/oh2th/homewizard-p1-mqtt",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("total_power_import_kwh", Import, Kilo),
    ("total_power_export_kwh", Export, Kilo),
    ("total_power_import_t1_kwh", ImportTariff(0), Kilo),
    ("total_power_import_t2_kwh", ImportTariff(1), Kilo),
    ("total_power_export_t1_kwh", ExportTariff(0), Kilo),
    ("total_power_export_t2_kwh", ExportTariff(1), Kilo),
    ("energy_import_kwh", Import, Kilo),
    ("energy_export_kwh", Export, Kilo),
    ("energy_import_t1_kwh", ImportTariff(0), Kilo),
    ("energy_import_t2_kwh", ImportTariff(1), Kilo),
    ("energy_export_t1_kwh", ExportTariff(0), Kilo),
    ("energy_export_t2_kwh", ExportTariff(1), Kilo),
    ("active_power_w", Power, One),
    ("active_power_l1_w", PhasePower(0), One),
    ("active_power_l2_w", PhasePower(1), One),
    ("active_power_l3_w", PhasePower(2), One),
    ("active_voltage_v", Voltage, One),
    ("active_voltage_l1_v", PhaseVoltage(0), One),
    ("active_voltage_l2_v", PhaseVoltage(1), One),
    ("active_voltage_l3_v", PhaseVoltage(2), One),
    ("active_current_a", Current, One),
    ("active_current_l1_a", PhaseCurrent(0), One),
    ("active_current_l2_a", PhaseCurrent(1), One),
    ("active_current_l3_a", PhaseCurrent(2), One),
    ("active_power_factor", PowerFactor, One),
    ("active_frequency_hz", Frequency, One),
    ("power_w", Power, One),
    ("power_l1_w", PhasePower(0), One),
    ("power_l2_w", PhasePower(1), One),
    ("power_l3_w", PhasePower(2), One),
    ("voltage_v", Voltage, One),
    ("voltage_l1_v", PhaseVoltage(0), One),
    ("voltage_l2_v", PhaseVoltage(1), One),
    ("voltage_l3_v", PhaseVoltage(2), One),
    ("current_a", Current, One),
    ("current_l1_a", PhaseCurrent(0), One),
    ("current_l2_a", PhaseCurrent(1), One),
    ("current_l3_a", PhaseCurrent(2), One),
    ("power_factor", PowerFactor, One),
    ("frequency_hz", Frequency, One),
    ("active_apparent_power_va", Not(Omitted::ApparentPower), One),
    ("active_reactive_power_var", Not(Omitted::ReactivePower), One),
    ("apparent_power_va", Not(Omitted::ApparentPower), One),
    ("reactive_power_var", Not(Omitted::ReactivePower), One),
];

/// Of its meters of gas and water, its device information, its state and its settings.
const OTHERS: &[&str] = &[
    "wifi_ssid",
    "wifi_strength",
    "meter_model",
    "unique_id",
    "total_gas_m3",
    "total_liter_m3",
    "active_liter_lpm",
    "product_type",
    "product_name",
    "firmware_version",
    "api_version",
    "switch_lock",
    "power_on",
    "cloud_enabled",
    "external",
];

fn decode(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    let mut draft = Draft::at(DeviceTime::from_json(json.get("timestamp")));
    let mut omitted = Vec::new();
    collect(&json, FIELDS, &mut draft, &mut omitted);
    single_tariff(&json, &mut draft, &mut omitted);
    Drafts::one(draft, omitted, OwnWords(&json, OTHERS))
}

/// A kWh meter or a socket has no tariffs; early firmware calls its registers those of tariff 1 and gives no sum. A P1
/// meter, which says its model, may be without one of its tariffs for a while.
fn single_tariff(json: &Json<'_>, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    if json.get("meter_model").or_else(|| json.get("smr_version")).is_some() {
        return;
    }
    for (only, second, sum, register) in [
        ("total_power_import_t1_kwh", "total_power_import_t2_kwh", "total_power_import_kwh", Import),
        ("total_power_export_t1_kwh", "total_power_export_t2_kwh", "total_power_export_kwh", Export),
    ] {
        let others = json.get(second).or_else(|| json.get(sum));
        if let (Some(value), None) = (json.get(only), others) {
            set_json(draft, register, value, Kilo, only, omitted);
        }
    }
}
