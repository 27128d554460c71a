//! IoTaWatt, which speaks no MQTT itself: inputs and outputs by their names, as bridges put the result of its status or
//! query API on MQTT, whole or (iwMQTT) each on a topic of its own.

use super::prelude::*;
use crate::unit::Unit::Centi;

pub(super) const FAMILY: Family = Family {
    name: "iotawatt",
    title: "IoTaWatt (status API by bridges)",
    routes: &[
        ("iotawatt/+", "iotawatt/{2}"),
        ("iotawatt/+/+", "iotawatt/{2}"),
        ("iotawatt/+/inputs/+", "iotawatt/{2}/{4}"),
        ("iotawatt/+/outputs/+", "iotawatt/{2}/outputs/{4}"),
    ],
    reads: "each of `inputs` and `outputs` a channel: Watts, Vrms, Hz, Pf; or an object of names with Watts and Wh; of \
            iwMQTT also Amps",
    units: "W, Wh, V, A, Hz; iwMQTT's Pf in %",
    sign: "+ import",
    time: "arrival (`currenttime` of its statistics is not a reading's)",
    documents: &[
        "https://docs.iotawatt.com/en/master/query.html",
        "https://github.com/boblemaire/IoTaWatt",
        "https://github.com/tabrisnet/iwMQTT",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("Watts", Power, One),
    ("Wh", Import, One),
    ("Vrms", Voltage, One),
    ("Volts", Voltage, One),
    ("Amps", Current, One),
    ("Hz", Frequency, One),
    ("Pf", PowerFactor, One),
    ("VA", Not(Omitted::ApparentPower), One),
    ("VAR", Not(Omitted::ReactivePower), One),
];

/// Of its status.
const OTHERS: &[&str] = &["inputs", "outputs", "stats", "wifi", "device", "datalogs", "passwords", "influx"];

/// How iwMQTT gives a power factor, unlike the device.
const PER_CENT: &[Field] = &[("Pf", PowerFactor, Centi)];

/// Of one input or output.
const OTHERS_OF_ONE: &[&str] = &["channel", "phase", "lastphase", "reversed", "name", "units", "value"];

fn decode(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    let mut drafts = Drafts::default();
    if message.topic.count() == 4 {
        push(String::new(), &json, PER_CENT, &mut drafts);
        return drafts.or_ignore(OwnWords(&json, OTHERS_OF_ONE));
    }
    for kind in ["inputs", "outputs"] {
        for entry in json.get(kind).map(Json::items).unwrap_or_default() {
            // Without either it is nobody's: the device itself measures nothing.
            match entry.get("name").or_else(|| entry.get("channel")).and_then(Json::scalar) {
                Some(name) if !name.is_empty() => push(name.to_owned(), entry, &[], &mut drafts),
                _ => drafts.omitted.push(Omission::new(kind, Omitted::UnknownName)),
            }
        }
    }
    if drafts.drafts.is_empty() {
        for (name, entry) in json.fields().iter().filter(|(_, entry)| entry.is_object()) {
            push(name.to_string(), entry, &[], &mut drafts);
        }
    }
    drafts.or_ignore(OwnWords(&json, OTHERS))
}

/// An output's value stands beside its unit, an input's under its own name. A voltage alone is the reference's. What `own`
/// knows counts before the device's words.
fn push(channel: String, entry: &Json<'_>, own: &[Field], drafts: &mut Drafts) {
    let mut draft = Draft::of(channel, DeviceTime::Absent);
    for (name, value) in entry.fields() {
        if let Some((_, quantity, unit)) = find(own, name).or_else(|| find(FIELDS, name)) {
            set_json(&mut draft, *quantity, value, *unit, name, &mut drafts.omitted);
        }
    }
    if let (Some(unit), Some(value)) = (entry.get("units").and_then(Json::text), entry.get("value"))
        && let Some((name, quantity, scale)) = find(FIELDS, unit)
    {
        set_json(&mut draft, *quantity, value, *scale, name, &mut drafts.omitted);
    }
    if draft.measures.power_w.is_some() || draft.measures.energy_import_mwh.is_some() {
        drafts.drafts.push(draft);
    } else {
        drafts.let_go(draft);
    }
}
