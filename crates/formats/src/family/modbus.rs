//! Modbus bridges whose users name the registers: a topic for each (`modbus/<meter>/active_power`), or one JSON object.
//! spicierModbus2mqtt has `modbus/<meter>/state/<name>`, owagner/modbus2mqtt `modbus/status/<name>` with a name of one level or
//! two, modbus2mqtt.dev `modbus2mqtt/<bus>s<slave>/state/` with a JSON object.

use super::names::{Named, Units, with_folders};
use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "modbus",
    title: "Modbus bridges (Eastron SDM and others, by common names)",
    routes: &[
        ("modbus/+", "modbus/{2}"),
        ("modbus/+/+", "modbus/{2}"),
        ("modbus/+/+/+", "modbus/{2}"),
        ("modbus2mqtt/+/state/+", "modbus/{2}"),
        ("sdm/+", "modbus/{2}"),
        ("sdm/+/+", "modbus/{2}"),
        ("sdm120/+", "modbus/{1}"),
        ("sdm630/+", "modbus/{1}"),
    ],
    reads: "the common names, as generic-json: `Total system power`, `Import active energy`, `voltage_l1`, …, and those of \
            spicierModbus2mqtt's template for Eastron meters; of `modbus/status/house1/power` the channel `house1`",
    units: "by the names; else W, kWh, V, A (the route's `energy_unit`, `power_unit`, `current_unit`)",
    sign: "+ import",
    time: "`ts`, `timestamp` or `time` of the JSON, else arrival",
    documents: &[
        "https://www.eastroneurope.com/images/uploads/products/protocol/SDM630_MODBUS_Protocol.pdf",
        "https://github.com/mbs38/spicierModbus2mqtt",
        "https://github.com/owagner/modbus2mqtt",
        "https://github.com/volkmarnissen/modbus2mqtt",
        "https://github.com/tjhowse/modbus4mqtt",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// Of spicierModbus2mqtt's `templates/eastronSDM72d.csv`, whose names are words without a mark between them.
const EASTRON: &[Field] = &[
    ("Phase1linetoneutralvolts", PhaseVoltage(0), One),
    ("Phase2linetoneutralvolts", PhaseVoltage(1), One),
    ("Phase3linetoneutralvolts", PhaseVoltage(2), One),
    ("Phase1current", PhaseCurrent(0), One),
    ("Phase2current", PhaseCurrent(1), One),
    ("Phase3current", PhaseCurrent(2), One),
    ("Phase1activepower", PhasePower(0), One),
    ("Phase2activepower", PhasePower(1), One),
    ("Phase3activepower", PhasePower(2), One),
    ("Totalsystempower", Power, One),
    ("Totalsystempowerfactor", PowerFactor, One),
    ("Frequencyofsupplyvoltages", Frequency, One),
    ("Importactiveenergy", Import, Kilo),
    ("Exportactiveenergy", Export, Kilo),
    ("Totalsystemvoltamps", Not(Omitted::ApparentPower), One),
    ("TotalsystemVAr", Not(Omitted::ReactivePower), One),
    ("resettableimportactiveenergy", Not(Omitted::DayCounter), One),
    ("resettableexportactiveenergy", Not(Omitted::DayCounter), One),
    ("resettabletotalactiveenergy", Not(Omitted::DayCounter), One),
];

fn decode(message: &Message<'_>) -> Outcome {
    let topic = message.topic;
    if topic.level(1) == "modbus" && topic.count() == 4 {
        match (topic.level(2), topic.level(3)) {
            ("status", _) | (_, "state") => {}
            (_, "set") => return Err(Ignored::Command.into()),
            // Whose levels mean something else: several meters would be one.
            _ => return Err(Stop::NotThisFamily),
        }
    }
    if find(EASTRON, message.topic.last()).is_some() {
        return message.single(Draft::default(), message.topic.last(), EASTRON);
    }
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
        if message.topic.level(2) == "status" {
            let name = message.topic.from(3);
            let (channel, meaning) = with_folders(name);
            let Some(meaning) = meaning else { return Err(Ignored::OtherQuantity.into()) };
            draft.channel = channel.into();
            named.take_as(&meaning, name, &value);
        } else {
            named.take(message.topic.last(), &value);
        }
        named.put(&mut draft, &mut omitted);
    }
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
