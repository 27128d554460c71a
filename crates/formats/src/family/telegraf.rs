//! Telegraf's JSON output: `{"name":…,"tags":{…},"fields":{…},"timestamp":…}`, one metric or a batch of them.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "telegraf",
    title: "Telegraf (JSON output)",
    routes: &[("telegraf/+", "{2}"), ("telegraf/+/+", "{2}/{3}")],
    reads: "fields by their common names; the tag `meter_id`, `meter`, `device_id` or `id` is the payload's id",
    units: "by the names; else W, kWh, V, A (the route's `energy_unit` for energies)",
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
    let id = ["meter_id", "meter", "device_id", "id"]
        .into_iter()
        .find_map(|name| tags.get(name).and_then(Json::scalar));
    draft.id = id.map(str::to_owned);
    let energy_unit = Some(message.options.energy_unit.unwrap_or(Kilo));
    super::generic_json::take_fields(fields, energy_unit, &mut draft, &mut drafts.omitted)?;
    drafts.drafts.push(draft);
    Ok(())
}
