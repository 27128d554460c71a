//! Telegraf's JSON output: `{"name":…,"tags":{…},"fields":{…},"timestamp":…}`, one metric or a batch of them.

use super::ids;
use super::names::Units;
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "telegraf",
    title: "Telegraf (JSON output)",
    routes: &[("telegraf/+", "telegraf/{2}"), ("telegraf/+/+", "telegraf/{2}/{3}")],
    reads: "fields by their common names; the tags `meter_id`, `device_id`, `id` and the like, or the modbus input's \
            `name` and `slave_id`, are the payload's id",
    units: "by the names; else W, kWh, V, A (the route's `energy_unit`, `power_unit`, `current_unit`)",
    sign: "+ import",
    time: "`timestamp`, in the unit that its size says",
    documents: &["https://github.com/influxdata/telegraf/tree/master/plugins/serializers/json"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let json = message.object()?;
    let mut drafts = Drafts::default();
    match json.get("metrics") {
        Some(metrics) if metrics.items().len() > wattline_reading::READINGS_PER_MESSAGE_MAX => {
            let detail = format!("{} metrics in one message", metrics.items().len());
            return Err(
                wattline_reading::limits::refuse(wattline_reading::Reason::TooManyReadings, detail).into()
            );
        }
        Some(metrics) => {
            for metric in metrics.items() {
                take(metric, message, &mut drafts)?;
            }
        }
        None if !OwnWords(&json, &["fields", "tags"]).are_there() => return Err(Stop::NotThisFamily),
        None => take(&json, message, &mut drafts)?,
    }
    drafts.or_ignore(Ignored::OtherQuantity)
}

fn take(metric: &Json<'_>, message: &Message<'_>, drafts: &mut Drafts) -> Result<(), Stop> {
    let Some(fields) = metric.get("fields") else {
        return Err(Stop::malformed("a metric has no `fields`".to_owned()));
    };
    let mut draft = Draft::at(DeviceTime::from_json(metric.get("timestamp")));
    let tags = metric.get("tags").unwrap_or(&Json::Null);
    draft.id = ids::of(tags).or_else(|| slave(tags));
    let units = Units::usual(message.options);
    super::generic_json::take_fields(fields, units, &mut draft, &mut drafts.omitted);
    drafts.drafts.push(draft);
    Ok(())
}

/// The modbus input tells the devices of one bus apart by two tags.
fn slave(tags: &Json<'_>) -> Option<String> {
    let parts = ["name", "slave_id"].into_iter().filter_map(|name| tags.get(name).and_then(Json::scalar));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}
