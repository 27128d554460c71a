//! OpenEnergyMonitor: emonhub and emonPi publish `emon/<node>/<input>`, emonESP and the emonTx 4 one JSON object.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "emon",
    title: "emonTx, emonPi, emonhub, emonESP (OpenEnergyMonitor)",
    routes: &[("emon/+", "emon/{2}"), ("emon/+/+", "emon/{2}")],
    reads: "each clamp a channel: power1… or P1…, E1…; Vrms or V1. Pulse counters and unnamed values are left out",
    units: "W, Wh, V",
    sign: "+ import; `E1` of an emonTx 4 may fall, which is a dip or unknown energy",
    time: "`time` of the JSON, else arrival",
    documents: &[
        "https://docs.openenergymonitor.org/emonhub/mqtt.html",
        "https://github.com/openenergymonitor/emonhub/blob/master/docs/emonhub-interfacers.md",
        "https://github.com/openenergymonitor/EmonESP",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let text = message.text()?;
    let mut drafts = Drafts::default();
    if !text.starts_with('{') {
        let value = Json::Text(message.value()?.into());
        take(message.topic.last(), &value, &DeviceTime::Absent, true, &mut drafts);
        return drafts.or_ignore(Ignored::OtherQuantity);
    }
    let json = message.json()?;
    let time = DeviceTime::from_json(json.get("time"));
    for (name, value) in json.fields() {
        take(name, value, &time, false, &mut drafts);
    }
    let mains = ["Vrms", "V1", "vrms"].into_iter().find_map(|name| json.get(name));
    let Drafts { drafts: clamps, omitted, .. } = &mut drafts;
    for (draft, value) in clamps.iter_mut().zip(mains.into_iter().cycle()) {
        set_json(draft, Voltage, value, One, "Vrms", omitted);
    }
    drafts.or_ignore(Ignored::OtherQuantity)
}

/// `power1`, `P1`, `CT1` are one clamp's power, `E1` its register, `V1` and `Vrms` the mains'.
fn take(name: &str, value: &Json<'_>, time: &DeviceTime, is_alone: bool, drafts: &mut Drafts) {
    let lower = name.to_ascii_lowercase();
    let end = lower.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &lower[end.len()..];
    let (quantity, unit) = match end {
        "power" | "p" | "ct" | "realpower" => (Power, One),
        "e" | "wh" => (Import, One),
        "kwh" => (Import, Kilo),
        "vrms" | "v" => (Voltage, One),
        "i" | "irms" => (Current, One),
        _ => return,
    };
    let channel = match quantity {
        // It is the mains', for all clamps, and alone none's.
        Voltage => {
            if is_alone {
                drafts.omitted.push(Omission::new(name, Omitted::NoMeter));
            }
            return;
        }
        _ if number.is_empty() => String::new(),
        _ => format!("ct{number}"),
    };
    let index = drafts.drafts.iter().position(|draft| draft.channel == channel.as_str());
    let index = index.unwrap_or_else(|| {
        drafts.drafts.push(Draft::of(channel, time.clone()));
        drafts.drafts.len() - 1
    });
    let Drafts { drafts, omitted, .. } = drafts;
    if let Some(draft) = drafts.get_mut(index) {
        set_json(draft, quantity, value, unit, name, omitted);
    }
}
