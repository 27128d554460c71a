//! A JSON object (or an array of them) with a meter's id, a time, and power, energy, voltage or current under their
//! common names.

use super::ids;
use super::names::{Named, Units};
use super::prelude::*;
use wattline_reading::{READINGS_PER_MESSAGE_MAX, Reason, limits::refuse};

pub(super) const FAMILY: Family = Family {
    name: "generic-json",
    title: "A generic JSON object",
    routes: &[
        ("meter/+", "generic-json/{2}"),
        ("meters/+", "generic-json/{2}"),
        ("meter/+/+", "generic-json/{2}"),
        ("meters/+/+", "generic-json/{2}"),
        ("energy/+", "generic-json/{2}"),
        ("energy/+/+", "generic-json/{2}/{3}"),
    ],
    reads: "power, energy (import, export, tariffs), voltage, current, power factor, frequency and phases by their \
            common names, of which all words must be known; `meter_id`, `device_id`, `serial` and the like, a text `id`; \
            `ts`, `timestamp`, `time`",
    units: "by the names (`_kwh`, `_wh`, `_kw`, `_ma`) or a `unit` beside the value or the field; else W, kWh, V, A (the \
            route's `energy_unit`, `power_unit`, `current_unit`)",
    sign: "+ import",
    time: "`ts`, `timestamp`, `time`, `datetime`: Unix in any unit, or ISO 8601",
    documents: &["docs/formats.md"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const TIMES: [&str; 10] = [
    "ts",
    "timestamp",
    "time",
    "datetime",
    "date_time",
    "epoch",
    "unixtime",
    "@timestamp",
    "measured_at",
    "t",
];
fn decode(message: &Message<'_>) -> Outcome {
    let text = message.text()?;
    if is_status_word(text) {
        return Err(Ignored::Status.into());
    }
    let json = message.json()?;
    let mut drafts = Drafts::default();
    let objects = match &json {
        Json::Array(items) if items.len() > READINGS_PER_MESSAGE_MAX => {
            let detail =
                format!("{} readings in one message, at most {READINGS_PER_MESSAGE_MAX}", items.len());
            return Err(refuse(Reason::TooManyReadings, detail).into());
        }
        Json::Array(items) => items.as_slice(),
        object => std::slice::from_ref(object),
    };
    for object in objects {
        if !object.is_object() {
            return Err(Stop::malformed("the payload is no JSON object".to_owned()));
        }
        let of_array = matches!(json, Json::Array(_));
        let draft = draft(object, of_array, message, &mut drafts.omitted)?;
        drafts.drafts.push(draft);
    }
    // A value that doesn't say of what: a camera before a meter of gas or water, too.
    drafts.or_ignore(OwnWords(&json, &["value", "media", "values"]))
}

fn draft(
    object: &Json<'_>,
    of_array: bool,
    message: &Message<'_>,
    omitted: &mut Vec<Omission>,
) -> Result<Draft, Stop> {
    let time = TIMES.into_iter().find_map(|name| object.get(name));
    let mut draft = Draft::at(DeviceTime::from_json(time));
    if is_foreign(object) {
        return Ok(draft);
    }
    draft.id = ids::of(object).or_else(|| if of_array { ids::name_of(object) } else { None });
    take_fields(object, Units::usual(message.options), &mut draft, omitted);
    Ok(draft)
}

/// What has the words of a measure and is none: of wmbusmeters' meters of heat, gas and water, and the raw tenths and
/// hundredths of grott.
fn is_foreign(object: &Json<'_>) -> bool {
    const MEDIA: [&str; 6] = ["heat", "cooling", "water", "gas", "oil", "steam"];
    let media = object.get("media").and_then(Json::text).unwrap_or_default().to_ascii_lowercase();
    MEDIA.iter().any(|other| media.contains(other))
        || object.get("values").is_some_and(|values| values.get("datalogserial").is_some())
}

/// All fields of an object, and of the objects that hold its measures.
pub(super) fn take_fields(object: &Json<'_>, units: Units, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    let mut named = Named::beside(units, object);
    for (name, value) in object.fields() {
        match (name.as_ref(), value) {
            (
                "data" | "values" | "measurements" | "fields" | "meter" | "electricity",
                Json::Object(inner),
            ) => {
                for (name, value) in inner {
                    named.take(name, value);
                }
            }
            ("phases", Json::Array(phases)) => {
                for (number, phase) in (0_u8..3).zip(phases) {
                    for (name, value) in phase.fields() {
                        named.take_of_phase(number, name, value);
                    }
                }
            }
            (name, value) => named.take(name, value),
        }
    }
    named.put(draft, omitted);
}
