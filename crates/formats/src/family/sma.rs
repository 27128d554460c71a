//! SMA: SBFspot's JSON of an inverter, and SMA-EM's values of an energy meter.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "sma",
    title: "SMA (SBFspot, SMA-EM)",
    routes: &[
        ("sbfspot/+", "sma/{2}"),
        ("sma/+", "sma/{2}"),
        ("SMA-EM/status/+", "sma/{3}"),
        ("SMA-EM/status/+/+", "sma/{3}"),
        ("SMA-PV/status/+", "sma/{3}"),
    ],
    reads: "SBFspot: PACTot, ETotal, PAC1–3, UAC1–3, IAC1–3, GridFreq; SMA-EM: pconsume − psupply, pconsumecounter, \
            psupplycounter, phases, and of its inverters AC Power, total yield. SBFspot's usual topic, `sbfspot_{serial}`, is no default route, because no wildcard \
            matches a part of a level and `+` would take every topic of one level: write a route for each inverter \
            (`filter = \"sbfspot_2130012345\"`), or `MQTT_Topic=sbfspot/{serial}` in SBFspot.cfg",
    units: "W, kWh, V, A, Hz",
    sign: "an inverter feeds in; a meter: pconsume import, psupply export",
    time: "`Timestamp`, `InvTime` where they are ISO 8601 (their format is a setting); SMA-EM: arrival",
    documents: &["https://github.com/SBFspot/SBFspot/wiki/MQTT", "https://github.com/datenschuft/SMA-EM"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const INVERTER: &[Field] = &[
    ("PACTot", PowerGenerated, One),
    ("ETotal", Export, Kilo),
    ("InvETotal", Export, Kilo),
    ("PAC1", PhaseGenerated(0), One),
    ("PAC2", PhaseGenerated(1), One),
    ("PAC3", PhaseGenerated(2), One),
    ("UAC1", PhaseVoltage(0), One),
    ("UAC2", PhaseVoltage(1), One),
    ("UAC3", PhaseVoltage(2), One),
    ("IAC1", PhaseCurrent(0), One),
    ("IAC2", PhaseCurrent(1), One),
    ("IAC3", PhaseCurrent(2), One),
    ("GridFreq", Frequency, One),
    ("EToday", Not(Omitted::DayCounter), One),
    ("PDCTot", Not(Omitted::DcSide), One),
    // SMA-EM's names of the registers of inverters.
    ("AC Power", PowerGenerated, One),
    ("total yield", Export, Kilo),
    ("Power L1", PhaseGenerated(0), One),
    ("Power L2", PhaseGenerated(1), One),
    ("Power L3", PhaseGenerated(2), One),
    ("AC voltage", Voltage, One),
    ("AC current", Current, One),
    ("grid frequency", Frequency, One),
    ("AC apparent power", Not(Omitted::ApparentPower), One),
    ("daily yield", Not(Omitted::DayCounter), One),
    ("DC power", Not(Omitted::DcSide), One),
    ("DC input voltage", Not(Omitted::DcSide), One),
];

const METER: &[Field] = &[
    ("pconsume", PowerImport, One),
    ("psupply", PowerExport, One),
    ("pconsumecounter", Import, Kilo),
    ("psupplycounter", Export, Kilo),
    ("p1consume", PhaseImport(0), One),
    ("p2consume", PhaseImport(1), One),
    ("p3consume", PhaseImport(2), One),
    ("p1supply", PhaseExport(0), One),
    ("p2supply", PhaseExport(1), One),
    ("p3supply", PhaseExport(2), One),
    ("u1", PhaseVoltage(0), One),
    ("u2", PhaseVoltage(1), One),
    ("u3", PhaseVoltage(2), One),
    ("i1", PhaseCurrent(0), One),
    ("i2", PhaseCurrent(1), One),
    ("i3", PhaseCurrent(2), One),
    ("cosphi", PowerFactor, One),
    ("frequency", Frequency, One),
    ("qconsume", Not(Omitted::ReactivePower), One),
    ("sconsume", Not(Omitted::ApparentPower), One),
    ("p1consumecounter", Not(Omitted::PartialRegister), One),
    ("p2consumecounter", Not(Omitted::PartialRegister), One),
    ("p3consumecounter", Not(Omitted::PartialRegister), One),
    ("p1supplycounter", Not(Omitted::PartialRegister), One),
    ("p2supplycounter", Not(Omitted::PartialRegister), One),
    ("p3supplycounter", Not(Omitted::PartialRegister), One),
];

/// What else SBFspot can be told to publish.
const OTHERS: &[&str] = &[
    "PrgVersion",
    "PlantName",
    "InvSerial",
    "InvName",
    "InvClass",
    "InvType",
    "InvSwVer",
    "InvTime",
    "InvStatus",
    "InvTemperature",
    "InvGridRelay",
    "SunRise",
    "SunSet",
    "BTSignal",
    "DeviceClass",
    "DeviceID",
    "Device Name",
    "Status",
];

fn decode(message: &Message<'_>) -> Outcome {
    if !message.text()?.starts_with('{') {
        if message.topic.level(1) != "SMA-EM" && find(METER, message.topic.last()).is_none() {
            return Err(Stop::NotThisFamily);
        }
        return message.single(Draft::default(), message.topic.last(), METER);
    }
    let json = message.json()?;
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    if json.field("pconsume").or_else(|| json.field("psupply")).is_some() {
        collect(&json, METER, &mut draft, &mut omitted);
    } else {
        let time = json.get("InvTime").or_else(|| json.get("Timestamp"));
        draft.time = match DeviceTime::from_json(time) {
            // Day and month of "08/11/2021" stand as SBFspot is told.
            DeviceTime::Unreadable(_) => DeviceTime::Absent,
            time => time,
        };
        with_points(&json, &mut draft, &mut omitted);
    }
    Drafts::one(draft, omitted, OwnWords(&json, OTHERS))
}

/// SBFspot has always three decimals, behind a comma where it is told so, and never groups thousands.
fn with_points(inverter: &Json<'_>, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    for (name, value) in inverter.fields() {
        let Some((_, quantity, unit)) = find(INVERTER, name) else { continue };
        match value {
            Json::Text(text) => draft.set(*quantity, &text.replace(',', "."), *unit, name, omitted),
            value => set_json(draft, *quantity, value, *unit, name, omitted),
        }
    }
}
