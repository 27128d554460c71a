//! Enphase Envoy: `/ivp/meters/readings` (an array by `eid`), `/ivp/meters/reports` (an array by role), `/stream/meter` (an
//! object by role) and `/ivp/livedata/status` (where there are batteries), as envoy bridges put them on MQTT.

use super::prelude::*;
use crate::number::number;

pub(super) const FAMILY: Family = Family {
    name: "enphase",
    title: "Enphase Envoy / IQ Gateway",
    routes: &[
        ("envoy/+", "enphase"),
        ("/envoy/+", "enphase"),
        ("enphase/+", "enphase/{2}"),
        ("enphase/+/+", "enphase/{2}"),
    ],
    reads: "by `eid` or role (`production`, `net-consumption`, `total-consumption`) as channels: activePower, \
            actEnergyDlvd, actEnergyRcvd, voltage, current, pwrFactor, freq; of reports the same by their names; of the \
            stream p, v, i, pf, f by phase; of the live status agg_p_mw and its phases",
    units: "W, mW (`agg_p_mw`), Wh, V, A, Hz",
    sign: "production feeds in; net consumption is + import",
    time: "`timestamp`, `createdAt`, `last_update`",
    documents: &[
        "https://enphase.com/download/iq-gateway-local-apis-or-ui-access-using-token",
        "https://github.com/vk2him/Enphase-Envoy-mqtt-json",
    ],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

/// The production meter's number; the next is the meter at the grid.
const PRODUCTION: &str = "704643328";
const NET_CONSUMPTION: &str = "704643584";

/// One of them is in each item of its arrays.
const IN_ITEMS: [&str; 3] = ["eid", "serialNumber", "reportType"];

/// Of its other answers.
const OTHERS: &[&str] = &[
    "production",
    "net-consumption",
    "total-consumption",
    "consumption",
    "meters",
    "connection",
    "tasks",
    "counters",
    "wattHoursToday",
    "wattHoursLifetime",
    "wattsNow",
    "serialNumber",
];

fn decode(message: &Message<'_>) -> Outcome {
    let text = message.text()?;
    if is_status_word(text) {
        return Err(Ignored::Status.into());
    }
    let json = message.json()?;
    let mut drafts = Drafts::default();
    for meter in json.items() {
        readings(meter, &mut drafts);
        report(meter, &mut drafts);
    }
    for role in ["production", "net-consumption", "total-consumption"] {
        if let Some(meter) = json.get(role) {
            stream(role, meter, &mut drafts);
        }
    }
    if let Some(meters) = json.get("meters") {
        live(meters, &mut drafts);
    }
    let has_items = json.items().iter().any(|item| IN_ITEMS.iter().any(|word| item.get(word).is_some()));
    if has_items {
        drafts.or_ignore(Ignored::OtherQuantity)
    } else {
        drafts.or_ignore(OwnWords(&json, OTHERS))
    }
}

/// The live status: powers of the plant's sides. What goes into the batteries is on their direct-current side.
fn live(meters: &Json<'_>, drafts: &mut Drafts) {
    for (side, role) in [("grid", "net-consumption"), ("pv", "production"), ("load", "total-consumption")] {
        let Some(values) = meters.get(side) else { continue };
        let mut draft = Draft::of(role, DeviceTime::from_json(meters.get("last_update")));
        let generates = side == "pv";
        let total = if generates { PowerGenerated } else { Power };
        let phase = if generates { PhaseGenerated } else { PhasePower };
        for (name, quantity) in [
            ("agg_p_mw", total),
            ("agg_p_ph_a_mw", phase(0)),
            ("agg_p_ph_b_mw", phase(1)),
            ("agg_p_ph_c_mw", phase(2)),
        ] {
            if let Some(value) = values.get(name) {
                set_json(&mut draft, quantity, value, Milli, name, &mut drafts.omitted);
            }
        }
        drafts.drafts.push(draft);
    }
}

fn readings(meter: &Json<'_>, drafts: &mut Drafts) {
    let Some(eid) = meter.get("eid").and_then(Json::scalar) else { return };
    let (channel, generates) = match eid {
        PRODUCTION => ("production".to_owned(), true),
        NET_CONSUMPTION => ("net-consumption".to_owned(), false),
        other => (other.to_owned(), false),
    };
    let mut draft = Draft::of(channel, DeviceTime::from_json(meter.get("timestamp")));
    let names = [
        "activePower",
        "actEnergyDlvd",
        "actEnergyRcvd",
        "voltage",
        "current",
        "pwrFactor",
        "freq",
        "apparentPower",
        "reactivePower",
    ];
    of_meter(meter, names, generates, &mut draft, &mut drafts.omitted);
    drafts.drafts.push(draft);
}

/// `{"createdAt":…,"reportType":"net-consumption","cumulative":{…},"lines":[…]}`.
fn report(report: &Json<'_>, drafts: &mut Drafts) {
    let (Some(role), Some(meter)) = (report.get("reportType").and_then(Json::text), report.get("cumulative"))
    else {
        return;
    };
    let mut draft = Draft::of(role.to_owned(), DeviceTime::from_json(report.get("createdAt")));
    let names = [
        "actPower",
        "whDlvdCum",
        "whRcvdCum",
        "rmsVoltage",
        "rmsCurrent",
        "pwrFactor",
        "freqHz",
        "apprntPwr",
        "reactPwr",
    ];
    of_meter(meter, names, role == "production", &mut draft, &mut drafts.omitted);
    drafts.drafts.push(draft);
}

/// A meter's values by their names: power, delivered and received energy, voltage, current, power factor, frequency, apparent
/// and reactive power. What a generator delivers it feeds in.
fn of_meter(
    meter: &Json<'_>,
    names: [&str; 9],
    generates: bool,
    draft: &mut Draft,
    omitted: &mut Vec<Omission>,
) {
    let directed = if generates { [PowerGenerated, Export, Import] } else { [Power, Import, Export] };
    let others =
        [Voltage, Current, PowerFactor, Frequency, Not(Omitted::ApparentPower), Not(Omitted::ReactivePower)];
    for (name, quantity) in names.into_iter().zip(directed.into_iter().chain(others)) {
        if let Some(value) = meter.get(name) {
            set_json(draft, quantity, value, One, name, omitted);
        }
    }
}

/// `{"ph-a":{"p":…,"q":…,"s":…,"v":…,"i":…,"pf":…,"f":…},"ph-b":…}`: the role's power is the sum of its phases. One
/// without voltage is not connected, and says nothing.
fn stream(role: &'static str, meter: &Json<'_>, drafts: &mut Drafts) {
    let generates = role == "production";
    let mut draft = Draft::of(role, DeviceTime::Absent);
    let mut powers_w = Vec::new();
    for (phase, name) in (0_u8..).zip(["ph-a", "ph-b", "ph-c"]) {
        let Some(values) = meter.get(name) else { continue };
        let unused = values.get("v").and_then(Json::scalar).and_then(number) == Some(0.0);
        if unused {
            continue;
        }
        for (name, quantity) in [
            ("p", if generates { PhaseGenerated(phase) } else { PhasePower(phase) }),
            ("v", PhaseVoltage(phase)),
            ("i", PhaseCurrent(phase)),
            ("f", Frequency),
        ] {
            if let Some(value) = values.get(name) {
                set_json(&mut draft, quantity, value, One, name, &mut drafts.omitted);
            }
        }
        powers_w.push(draft.measures.phases.get(usize::from(phase)).and_then(|phase| phase.power_w));
    }
    if !powers_w.is_empty() {
        draft.measures.power_w = powers_w.into_iter().sum();
    }
    drafts.drafts.push(draft);
}
