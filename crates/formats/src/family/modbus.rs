//! Modbus bridges whose users name the registers: a topic for each (`modbus/<meter>/active_power`), or one JSON object.

use super::names::{Named, Units};
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "modbus",
    title: "Modbus bridges (Eastron SDM and others, by common names)",
    routes: &[
        ("modbus/+", "modbus/{2}"),
        ("modbus/+/+", "modbus/{2}"),
        ("sdm/+", "modbus/{2}"),
        ("sdm/+/+", "modbus/{2}"),
        ("sdm120/+", "modbus/{1}"),
        ("sdm630/+", "modbus/{1}"),
    ],
    reads: "the common names, as generic-json: `Total system power`, `Import active energy`, `voltage_l1`, …",
    units: "by the names; else W, kWh, V, A (the route's `energy_unit`, `power_unit`, `current_unit`)",
    sign: "+ import",
    time: "`ts`, `timestamp` or `time` of the JSON, else arrival",
    documents: &[
        "https://www.eastroneurope.com/images/uploads/products/protocol/SDM630_MODBUS_Protocol.pdf",
        "https://github.com/tjhowse/modbus4mqtt",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let units = Units::usual(message.options);
    let text = message.text()?;
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    if text.starts_with('{') {
        let json = message.json()?;
        let time = ["ts", "timestamp", "time"].into_iter().find_map(|name| json.get(name));
        draft.time = DeviceTime::from_json(time);
        if json.field("value").is_some() && json.fields().len() <= 3 {
            let mut named = Named::new(units);
            named.take(message.topic.last(), &json);
            named.put(&mut draft, &mut omitted);
        }
        super::generic_json::take_fields(&json, units, &mut draft, &mut omitted);
    } else {
        let value = Json::Text(message.value()?.into());
        let mut named = Named::new(units);
        named.take(message.topic.last(), &value);
        named.put(&mut draft, &mut omitted);
    }
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
