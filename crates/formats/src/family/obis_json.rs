//! HAN and SML readers that name their values by OBIS code: fields of a JSON object, `{"1-0:1.8.0":12345.6,"1-0:16.7.0":432}`,
//! the value bare, with its unit in the text (`"12345.6 kWh"`) or in an object with `value` and `unit`; or a topic for each
//! value (sml2mqtt, SMLReader, tibber-pulse-reader).

use super::names::{Named, Units};
use super::prelude::*;
use crate::obis;

pub(super) const FAMILY: Family = Family {
    name: "obis-json",
    title: "HAN and SML readers by OBIS code",
    routes: &[
        ("obis/+", "obis-json/{2}"),
        ("obis/+/+", "obis-json/{2}"),
        ("han/+", "obis-json/{2}"),
        ("sml/+", "obis-json/{2}"),
        ("sml2mqtt/+/+", "obis-json/{2}"),
        ("smartmeter/+/sensor/+/obis/+/+/value", "obis-json/{2}/{4}"),
        ("iot/smartmeter/sensor/+/obis/+/+/value", "obis-json/smartmeter/{4}"),
    ],
    reads: "all codes of active energy, power, voltage, current and frequency; of sml2mqtt also the common names of \
            values that its user has named",
    units: "as the payload says; without unit W, V, A, and Wh (below `sml2mqtt/` kWh) unless the route has an `energy_unit`",
    sign: "1.x import, 2.x export, 16.7.0 signed",
    time: "`timestamp`, `ts` or `time`",
    documents: &[
        "https://www.nek.no/info-ams-han-utviklere/ (OBIS lists of Aidon, Kaifa, Kamstrup)",
        "https://github.com/spacemanspiff2007/sml2mqtt",
        "https://github.com/mruettgers/SMLReader",
        "https://github.com/micw/tibber-pulse-reader",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// The first level of sml2mqtt's topics, which makes kWh of Wh.
const SML2MQTT: &str = "sml2mqtt";

fn decode(message: &Message<'_>) -> Outcome {
    if !message.text()?.starts_with('{') {
        let topic = message.topic;
        // Behind SMLReader's code stand its last part and `value`.
        let behind = if topic.last() == "value" { 2 } else { 0 };
        let name = topic.level(topic.count() - behind.min(topic.count() - 1));
        if is_code(name) {
            return one(message, name);
        }
        if topic.level(1) == SML2MQTT {
            return named(message, name);
        }
    }
    let json = message.object()?;
    let time = ["timestamp", "ts", "time"].into_iter().find_map(|name| json.get(name));
    let mut draft = Draft::at(DeviceTime::from_json(time));
    let mut omitted = Vec::new();
    let values =
        json.get("values").or_else(|| json.get("data")).filter(|inner| inner.is_object()).unwrap_or(&json);
    for (name, value) in values.fields() {
        let Some(quantity) = obis::parse(name).and_then(obis::quantity) else { continue };
        let bare = value.field("value").unwrap_or(value);
        let Some(text) = bare.scalar() else {
            set_json(&mut draft, quantity, bare, One, name, &mut omitted);
            continue;
        };
        let (number, inline) = text.split_once([' ', '*']).unwrap_or((text, ""));
        let word = value.get("unit").and_then(Json::text).unwrap_or(inline);
        let unit = match (Unit::of_word(word), quantity) {
            (Some(unit), _) => unit,
            (None, Import | Export | ImportTariff(_) | ExportTariff(_)) if word.is_empty() => {
                energy_unit(message)
            }
            (None, _) if word.is_empty() => One,
            (None, _) => {
                omitted.push(Omission::new(name, Omitted::UnitUnknown));
                continue;
            }
        };
        draft.set(quantity, number, unit, name, &mut omitted);
    }
    let has_codes = values.fields().iter().any(|(name, _)| is_code(name));
    Drafts::one(draft, omitted, if has_codes { Ignored::OtherQuantity.into() } else { Stop::NotThisFamily })
}

/// The unit of a register that has none beside it.
fn energy_unit(message: &Message<'_>) -> Unit {
    let usual = if message.topic.level(1) == SML2MQTT { Kilo } else { One };
    message.options.energy_unit.unwrap_or(usual)
}

/// A value on a topic with its code.
fn one(message: &Message<'_>, code: &str) -> Outcome {
    let Some(quantity) = obis::parse(code).and_then(obis::quantity) else {
        return Err(Ignored::OtherQuantity.into());
    };
    let unit = match quantity {
        Import | Export | ImportTariff(_) | ExportTariff(_) => energy_unit(message),
        _ => One,
    };
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    draft.set(quantity, &message.value()?, unit, code, &mut omitted);
    Drafts::one(draft, omitted, Ignored::NoValue)
}

/// A value that the bridge's user has named.
fn named(message: &Message<'_>, name: &str) -> Outcome {
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    let value = Json::Text(message.value()?.into());
    let mut named = Named::new(Units::usual(message.options));
    named.take(name, &value);
    named.put(&mut draft, &mut omitted);
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}

/// A code of any medium, as `0-0:96.1.0` of the meter itself.
fn is_code(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'*' | b'_');
    obis::parse(name).is_some() || (name.len() >= 5 && name.contains('.') && name.bytes().all(is_part))
}
