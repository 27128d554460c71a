//! amsreader (AmsToMqttBridge): Nordic and Austrian meters (Aidon, Kamstrup, Kaifa, Landis+Gyr) on the HAN port, as
//! one JSON object; made for Home Assistant, without the frame around `data`, as `…/power` and `…/energy`. Registers
//! belong to the meter's own instant `rtc`, power to `t`.

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
        ("ams/power", "ams-reader/{1}"),
        ("ams/energy", "ams-reader/{1}"),
        ("ams/list1", "ams-reader/{1}"),
        ("ams/list2", "ams-reader/{1}"),
        ("ams/list3", "ams-reader/{1}"),
        ("amsleser/power", "ams-reader/{1}"),
        ("amsleser/energy", "ams-reader/{1}"),
        ("amsreader/+", "ams-reader/{2}"),
        ("ams/+", "ams-reader/{2}"),
        ("amsleser/+", "ams-reader/{2}"),
        ("amsreader/+/+", "ams-reader/{2}"),
        ("ams/+/+", "ams-reader/{2}"),
        ("amsleser/+/+", "ams-reader/{2}"),
    ],
    reads: "P, PO, tPI, tPO, U1–U3, I1–I3, PF, P1–P3 and PO1–PO3",
    units: "W, kWh, V, A",
    sign: "P import, PO export, both ≥ 0",
    time: "`t`; `rtc` for the registers",
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

fn decode(message: &Message<'_>) -> Outcome {
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

/// By the exact names: `P` and `p` differ here (`p` is a peak or a price).
fn take_exact(data: &Json<'_>, fields: &[Field], draft: &mut Draft, omitted: &mut Vec<Omission>) {
    for (name, quantity, unit) in fields {
        if let Some(value) = data.field(name) {
            set_json(draft, *quantity, value, *unit, name, omitted);
        }
    }
}
