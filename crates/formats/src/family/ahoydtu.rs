//! AhoyDTU: `inverter/<name>/ch0` as JSON or `inverter/<name>/ch0/<value>`; ch0 is the alternating current.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "ahoydtu",
    title: "AhoyDTU (Hoymiles)",
    routes: &[("inverter/+/+", "ahoydtu/{2}"), ("inverter/+/+/+", "ahoydtu/{2}")],
    reads: "`ch0`: P_AC, YieldTotal, U_AC, I_AC, F_AC, PF_AC, and the phases of three-phase inverters",
    units: "W, kWh, V, A, Hz",
    sign: "an inverter feeds in: negative power, `YieldTotal` is export",
    time: "`ts_last_success` is a topic of its own: arrival",
    documents: &["https://github.com/lumapu/ahoy/blob/main/manual/User_Manual.md"],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("P_AC", PowerGenerated, One),
    ("YieldTotal", Export, Kilo),
    ("U_AC", Voltage, One),
    ("I_AC", Current, One),
    ("F_AC", Frequency, One),
    ("PF_AC", PowerFactor, One),
    ("U_AC_1N", PhaseVoltage(0), One),
    ("U_AC_2N", PhaseVoltage(1), One),
    ("U_AC_3N", PhaseVoltage(2), One),
    ("I_AC_1", PhaseCurrent(0), One),
    ("I_AC_2", PhaseCurrent(1), One),
    ("I_AC_3", PhaseCurrent(2), One),
    ("YieldDay", Not(Omitted::DayCounter), One),
    ("P_DC", Not(Omitted::DcSide), One),
    ("Q_AC", Not(Omitted::ReactivePower), One),
];

/// What is published of an inverter beside its channels.
const STATUS: [&str; 14] = [
    "available",
    "available_text",
    "is_producing",
    "last_success",
    "ts_last_success",
    "ack_pwr_limit",
    "dis_night_comm",
    "alarm",
    "radio_stat",
    "firmware",
    "hardware",
    "active_PowerLimit",
    "MaxPower",
    "LastAlarmCode",
];

fn decode(message: &Message<'_>) -> Outcome {
    let topic = message.topic;
    match topic.level(2) {
        "total" => return Err(Stop::left_out(topic.last(), Omitted::Aggregate)),
        "ctrl" | "setup" => return Err(Ignored::Command.into()),
        _ => {}
    }
    match topic.level(3) {
        "ch0" => {}
        "ch1" | "ch2" | "ch3" | "ch4" | "ch5" | "ch6" => {
            return Err(Stop::left_out(topic.last(), Omitted::DcSide));
        }
        word if STATUS.contains(&word) => return Err(Ignored::Status.into()),
        _ => return Err(Stop::NotThisFamily),
    }
    if topic.count() > 3 {
        return message.single(Draft::default(), topic.last(), FIELDS);
    }
    let json = message.object()?;
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    collect(&json, FIELDS, &mut draft, &mut omitted);
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}
