//! amsreader (AmsToMqttBridge): Nordic and Austrian meters (Aidon, Kamstrup, Kaifa, Landis+Gyr) on the HAN port, as
//! one JSON object; made for Home Assistant, without the frame around `data`, as `…/power` and `…/energy`. Registers
//! belong to the meter's own instant `rtc`, power to `t`. Published raw, a topic for each value.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "ams-reader",
    title: "amsreader (Aidon, Kamstrup, Kaifa)",
    routes: &[
        // The parts of one reader, where it publishes for Home Assistant.
        ("amsreader/power", "ams-reader/{1}"),
        ("amsreader/energy", "ams-reader/{1}"),
        ("amsreader/list1", "ams-reader/{1}"),
        ("amsreader/list2", "ams-reader/{1}"),
        ("amsreader/list3", "ams-reader/{1}"),
        ("amsreader/list4", "ams-reader/{1}"),
        ("ams/power", "ams-reader/{1}"),
        ("ams/energy", "ams-reader/{1}"),
        ("ams/list1", "ams-reader/{1}"),
        ("ams/list2", "ams-reader/{1}"),
        ("ams/list3", "ams-reader/{1}"),
        ("ams/list4", "ams-reader/{1}"),
        ("amsleser/power", "ams-reader/{1}"),
        ("amsleser/energy", "ams-reader/{1}"),
        ("amsreader/+", "ams-reader/{2}"),
        ("ams/+", "ams-reader/{2}"),
        ("amsleser/list1", "ams-reader/{1}"),
        ("amsleser/list2", "ams-reader/{1}"),
        ("amsleser/list3", "ams-reader/{1}"),
        ("amsleser/list4", "ams-reader/{1}"),
        // The values of one reader that publishes them raw.
        ("amsreader/meter/+", "ams-reader/{1}"),
        ("amsreader/meter/+/+", "ams-reader/{1}"),
        ("amsreader/meter/+/+/+", "ams-reader/{1}"),
        ("ams/meter/+", "ams-reader/{1}"),
        ("ams/meter/+/+", "ams-reader/{1}"),
        ("ams/meter/+/+/+", "ams-reader/{1}"),
        ("amsleser/meter/+", "ams-reader/{1}"),
        ("amsleser/meter/+/+", "ams-reader/{1}"),
        ("amsleser/meter/+/+/+", "ams-reader/{1}"),
        ("amsleser/+", "ams-reader/{2}"),
        ("amsreader/+/+", "ams-reader/{2}"),
        ("ams/+/+", "ams-reader/{2}"),
        ("amsleser/+/+", "ams-reader/{2}"),
    ],
    reads: "P, PO, tPI, tPO, U1–U3, I1–I3, PF, P1–P3 and PO1–PO3; raw, below `meter`: import/active, export/active, their \
            accumulated, l1/voltage, l1/current, import/l1",
    units: "W, kWh, V, A",
    sign: "P import, PO export, both ≥ 0",
    time: "`t`; `rtc` for the registers; arrival of raw values",
    documents: &[
        "https://github.com/UtilitechAS/amsreader-firmware/wiki/MQTT-message-formats",
        "https://github.com/UtilitechAS/amsreader-firmware/issues/300",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const LIVE: &[Field] = &[
    ("P", PowerImport, One),
    ("PO", PowerExport, One),
    ("U1", PhaseVoltage(0), One),
    ("U2", PhaseVoltage(1), One),
    ("U3", PhaseVoltage(2), One),
    ("I1", PhaseCurrent(0), One),
    ("I2", PhaseCurrent(1), One),
    ("I3", PhaseCurrent(2), One),
    ("PF", PowerFactor, One),
    ("P1", PhaseImport(0), One),
    ("P2", PhaseImport(1), One),
    ("P3", PhaseImport(2), One),
    ("PO1", PhaseExport(0), One),
    ("PO2", PhaseExport(1), One),
    ("PO3", PhaseExport(2), One),
    ("Q", Not(Omitted::ReactivePower), One),
    ("QO", Not(Omitted::ReactivePower), One),
    ("tQI", Not(Omitted::ReactivePower), One),
    ("tQO", Not(Omitted::ReactivePower), One),
];

const REGISTERS: &[Field] = &[("tPI", Import, Kilo), ("tPO", Export, Kilo)];

/// Of its messages of prices, temperatures, peaks and its own state.
const OTHERS: &[&str] = &[
    "data",
    "realtime",
    "prices",
    "temperatures",
    "peaks",
    "temps",
    "vcc",
    "rssi",
    "up",
    "mem",
    "ntp",
    "lv",
];

/// What is published raw of the meter, below `meter`.
const RAW: &[Field] = &[
    ("import/active", PowerImport, One),
    ("export/active", PowerExport, One),
    ("import/active/accumulated", Import, Kilo),
    ("export/active/accumulated", Export, Kilo),
    ("l1/voltage", PhaseVoltage(0), One),
    ("l2/voltage", PhaseVoltage(1), One),
    ("l3/voltage", PhaseVoltage(2), One),
    ("l1/current", PhaseCurrent(0), One),
    ("l2/current", PhaseCurrent(1), One),
    ("l3/current", PhaseCurrent(2), One),
    ("import/l1", PhaseImport(0), One),
    ("import/l2", PhaseImport(1), One),
    ("import/l3", PhaseImport(2), One),
    ("export/l1", PhaseExport(0), One),
    ("export/l2", PhaseExport(1), One),
    ("export/l3", PhaseExport(2), One),
    ("powerfactor", PowerFactor, One),
    ("import/l1/accumulated", Not(Omitted::PartialRegister), One),
    ("import/l2/accumulated", Not(Omitted::PartialRegister), One),
    ("import/l3/accumulated", Not(Omitted::PartialRegister), One),
    ("export/l1/accumulated", Not(Omitted::PartialRegister), One),
    ("export/l2/accumulated", Not(Omitted::PartialRegister), One),
    ("export/l3/accumulated", Not(Omitted::PartialRegister), One),
    ("import/reactive", Not(Omitted::ReactivePower), One),
    ("export/reactive", Not(Omitted::ReactivePower), One),
    ("import/reactive/accumulated", Not(Omitted::ReactivePower), One),
    ("export/reactive/accumulated", Not(Omitted::ReactivePower), One),
];

fn decode(message: &Message<'_>) -> Outcome {
    if !message.text()?.starts_with('{') {
        return raw(message);
    }
    let json = message.object()?;
    let data = json.get("data").unwrap_or(&json);
    let sent_at = DeviceTime::from_json(json.get("t"));
    let mut drafts = Drafts::default();
    let mut live = Draft::at(sent_at.clone());
    take_exact(data, LIVE, &mut live, &mut drafts.omitted);
    let rtc = DeviceTime::from_json(data.get("rtc"));
    if matches!(rtc, DeviceTime::Absent | DeviceTime::Unset) || rtc == sent_at {
        take_exact(data, REGISTERS, &mut live, &mut drafts.omitted);
        drafts.drafts.push(live);
    } else {
        let mut registers = Draft::at(rtc);
        take_exact(data, REGISTERS, &mut registers, &mut drafts.omitted);
        drafts.drafts.extend([live, registers]);
    }
    match message.topic.last() {
        "realtime" | "temperatures" | "prices" | "state" | "firmware" => {
            drafts.or_ignore(Ignored::OtherQuantity)
        }
        _ => drafts.or_ignore(OwnWords(&json, OTHERS)),
    }
}

/// A topic for each value of the meter; beside it what the reader says of itself, and of prices.
fn raw(message: &Message<'_>) -> Outcome {
    if is_status_word(message.text()?) {
        return Err(Ignored::Status.into());
    }
    if let Some((_, path)) = message.topic.0.split_once("/meter/") {
        return match path {
            "id" | "type" | "clock" | "dlms/timestamp" => Err(Ignored::Status.into()),
            _ => message.single(Draft::default(), path, RAW),
        };
    }
    match message.topic.last() {
        "id" | "uptime" | "vcc" | "mem" | "rssi" => Err(Ignored::Status.into()),
        "temperature" | "data" => Err(Ignored::OtherQuantity.into()),
        _ => Err(Stop::NotThisFamily),
    }
}

/// By the exact names: `P` and `p` differ here (`p` is a peak or a price).
fn take_exact(data: &Json<'_>, fields: &[Field], draft: &mut Draft, omitted: &mut Vec<Omission>) {
    for (name, quantity, unit) in fields {
        if let Some(value) = data.field(name) {
            set_json(draft, *quantity, value, *unit, name, omitted);
        }
    }
}
