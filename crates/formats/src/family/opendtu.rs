//! OpenDTU: `solar/<serial>/0/<value>` is an inverter's alternating current, the other numbers its inputs, and
//! `solar/ac/…` the sum over all inverters.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "opendtu",
    title: "OpenDTU (Hoymiles)",
    routes: &[("solar/+/+", "opendtu/{2}"), ("solar/+/+/+", "opendtu/{2}")],
    reads: "`0/power`, `0/yieldtotal`, `0/voltage`, `0/current`, `0/powerfactor`, `0/frequency`",
    units: "W, kWh, V, A, Hz",
    sign: "an inverter feeds in: negative power, `yieldtotal` is export",
    time: "arrival",
    documents: &["https://www.opendtu.solar/firmware/mqtt_topics/"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("power", PowerGenerated, One),
    ("yieldtotal", Export, Kilo),
    ("voltage", Voltage, One),
    ("current", Current, One),
    ("powerfactor", PowerFactor, One),
    ("frequency", Frequency, One),
    ("yieldday", Not(Omitted::DayCounter), One),
    ("powerdc", Not(Omitted::DcSide), One),
    ("reactivepower", Not(Omitted::ReactivePower), One),
];

/// What is published beside them.
const OTHERS: &[&str] = &["efficiency", "temperature"];

fn decode(message: &Message<'_>) -> Outcome {
    let topic = message.topic;
    let (device, channel) = (topic.level(2), topic.level(3));
    match (device, channel) {
        ("dtu", _) => Err(Ignored::Status.into()),
        ("dc", _) => Err(Stop::left_out(topic.last(), Omitted::DcSide)),
        ("ac" | "total", _) => Err(Stop::left_out(topic.last(), Omitted::Aggregate)),
        (_, "0") if topic.count() == 4 && OTHERS.contains(&topic.last()) => {
            Err(Ignored::OtherQuantity.into())
        }
        (_, "0") if topic.count() == 4 && (is_serial(device) || find(FIELDS, topic.last()).is_some()) => {
            message.single(Draft::default(), topic.last(), FIELDS)
        }
        (_, "1" | "2" | "3" | "4" | "5" | "6") if is_serial(device) => {
            Err(Stop::left_out(topic.last(), Omitted::DcSide))
        }
        (_, "cmd") => Err(Ignored::Command.into()),
        (_, "status" | "device" | "radio" | "name") if is_serial(device) => Err(Ignored::Status.into()),
        _ => Err(Stop::NotThisFamily),
    }
}

/// Inverters are called by their numbers, some of which have letters: they are hexadecimal.
fn is_serial(device: &str) -> bool {
    const DIGITS: usize = 12;
    let is_number = !device.is_empty() && device.bytes().all(|byte| byte.is_ascii_digit());
    is_number || (device.len() == DIGITS && device.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
