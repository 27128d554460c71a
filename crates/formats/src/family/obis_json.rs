//! HAN and SML readers that name their fields by OBIS code: `{"1-0:1.8.0":12345.6,"1-0:16.7.0":432}`, the value bare,
//! with its unit in the text (`"12345.6 kWh"`) or in an object with `value` and `unit`.

use super::prelude::*;
use crate::obis;

pub(super) const FAMILY: Family = Family {
    name: "obis-json",
    title: "HAN and SML readers by OBIS code",
    routes: &[("obis/+", "obis-json/{2}"), ("han/+", "obis-json/{2}"), ("sml/+", "obis-json/{2}")],
    reads: "all codes of active energy, power, voltage, current and frequency",
    units: "as the payload says; without unit W, V, A, and Wh unless the route has an `energy_unit`",
    sign: "1.x import, 2.x export, 16.7.0 signed",
    time: "`timestamp`, `ts` or `time`",
    documents: &[
        "https://www.nek.no/info-ams-han-utviklere/ (OBIS lists of Aidon, Kaifa, Kamstrup)",
        "https://github.com/spacemanspiff2007/SmlLib",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
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
                message.options.energy_unit.unwrap_or(One)
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

/// A code of any medium, as `0-0:96.1.0` of the meter itself.
fn is_code(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'*' | b'_');
    obis::parse(name).is_some() || (name.len() >= 5 && name.contains('.') && name.bytes().all(is_part))
}
