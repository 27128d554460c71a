//! vzlogger (volkszaehler.org): a topic for each channel, `vzlogger/data/chn0/raw`, with the value bare or with the
//! meter's time. What a channel is stands in vzlogger's own configuration, and therefore in the route.

use super::prelude::*;
use crate::obis;

pub(super) const FAMILY: Family = Family {
    name: "vzlogger",
    title: "vzlogger (SML, D0)",
    routes: &[("vzlogger/data/+/+", "vzlogger"), ("vzlogger/+/+", "vzlogger")],
    reads: "`…/raw` of channels that the route's `channels` names (`chn0 = \"1-0:1.8.0\"`), or that are called by their OBIS \
            code; others are left out as `unknown_name`; what vzlogger averages (`agg`) is not taken",
    units: "Wh, W, V, A (vzlogger's own; a route's `energy_unit` for others)",
    sign: "1.x import, 2.x export, 16.7.0 signed",
    time: "`timestamp` in ms where vzlogger is told to add it; else arrival",
    documents: &["https://github.com/volkszaehler/vzlogger (etc/vzlogger.conf, src/mqtt.cpp)"],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let topic = message.topic;
    match topic.last() {
        "raw" => {}
        "agg" => return Err(Stop::left_out("agg", Omitted::Aggregate)),
        "uuid" | "id" | "name" => return Err(Ignored::Status.into()),
        _ => return Err(Stop::NotThisFamily),
    }
    let channel = topic.last_but_one();
    let told = message.options.channels.get(channel).map(String::as_str);
    let quantity = |meaning| obis::parse(meaning).and_then(obis::quantity).or_else(|| by_measure(meaning));
    let quantity = match (told.map_or_else(|| quantity(channel), quantity), told) {
        (Some(quantity), _) => quantity,
        (None, Some(meaning)) => {
            let detail = format!(
                "channels.{channel} of the route is {meaning:?}, which is nothing known: \"1-0:1.8.0\"?"
            );
            return Err(Stop::malformed(detail));
        }
        // Of all that vzlogger reads a route names what it wants.
        (None, None) => return Err(Stop::left_out(channel, Omitted::UnknownName)),
    };
    let text = message.text()?;
    let json = if text.starts_with('{') { Some(message.json()?) } else { None };
    let time = json.as_ref().and_then(|json| json.get("timestamp"));
    let time = time.and_then(Json::scalar).map_or(DeviceTime::Absent, |ms| DeviceTime::from_epoch(ms, -3));
    let mut draft = Draft::at(time);
    let value = match &json {
        Some(json) => json.get("value").and_then(Json::scalar).ok_or(Ignored::NoValue)?,
        None => text.trim_matches('"'),
    };
    let unit = match quantity {
        Import | Export | ImportTariff(_) | ExportTariff(_) => message.options.energy_unit.unwrap_or(One),
        _ => One,
    };
    let mut omitted = Vec::new();
    draft.set(quantity, value, unit, channel, &mut omitted);
    Drafts::one(draft, omitted, Ignored::NoValue)
}

/// Wattline's own names, for a route's `channels`.
fn by_measure(name: &str) -> Option<Quantity> {
    Some(match name {
        "power_w" => Power,
        "energy_import_wh" => Import,
        "energy_export_wh" => Export,
        "voltage_v" => Voltage,
        "current_a" => Current,
        "frequency_hz" => Frequency,
        "power_factor" => PowerFactor,
        _ => return None,
    })
}
