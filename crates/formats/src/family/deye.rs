//! deye-inverter-mqtt: Deye and its brands (Sunsynk, Bosswerk), a topic for each value.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "deye",
    title: "Deye, Sunsynk, Bosswerk (deye-inverter-mqtt)",
    routes: &[("deye/+", "deye"), ("deye/+/+", "deye"), ("deye/+/+/+", "deye"), ("deye/+/+/+/+", "deye")],
    reads: "total_energy, ac/active_power, ac/l1/voltage|current|power, ac/freq; channel `grid`: \
            ac/total_grid_power, ac/total_energy_bought, ac/total_energy_sold. Not ac/total_power: with three phases \
            it is the grid's, with one the inverter's",
    units: "W, kWh, V, A, Hz",
    sign: "an inverter feeds in; grid power is + import",
    time: "arrival",
    documents: &["https://github.com/kbialek/deye-inverter-mqtt"],
    one_meter: true,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let path = message.topic.from(2);
    // With several loggers the logger's number comes first.
    let (logger, path) = match path.split_once('/') {
        Some((first, rest)) if !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()) => {
            (first, rest)
        }
        _ => ("", path),
    };
    let (grid, quantity, unit) = match path {
        "total_energy" => (false, Export, Kilo),
        "ac/active_power" => (false, PowerGenerated, One),
        "ac/freq" => (false, Frequency, One),
        "ac/l1/voltage" => (false, PhaseVoltage(0), One),
        "ac/l2/voltage" => (false, PhaseVoltage(1), One),
        "ac/l3/voltage" => (false, PhaseVoltage(2), One),
        "ac/l1/current" => (false, PhaseCurrent(0), One),
        "ac/l2/current" => (false, PhaseCurrent(1), One),
        "ac/l3/current" => (false, PhaseCurrent(2), One),
        "ac/l1/power" => (false, PhaseGenerated(0), One),
        "ac/l2/power" => (false, PhaseGenerated(1), One),
        "ac/l3/power" => (false, PhaseGenerated(2), One),
        "ac/total_grid_power" => (true, Power, One),
        "ac/total_energy_bought" => (true, Import, Kilo),
        "ac/total_energy_sold" => (true, Export, Kilo),
        "status" | "logger_status" | "uptime" => return Err(Ignored::Status.into()),
        // The grid's power of three-phase hybrids and the inverter's of single-phase ones have one topic.
        "ac/total_power" => return Err(Stop::left_out(path, Omitted::Ambiguous)),
        "day_energy" | "ac/daily_energy_bought" | "ac/daily_energy_sold" => {
            return Err(Stop::left_out(path, Omitted::DayCounter));
        }
        _ if path.starts_with("dc/") => return Err(Stop::left_out(path, Omitted::DcSide)),
        _ if path.starts_with("settings") || path.ends_with("/command") => {
            return Err(Ignored::Command.into());
        }
        _ => return Err(Ignored::OtherQuantity.into()),
    };
    let channel = match (logger, grid) {
        ("", false) => String::new(),
        ("", true) => "grid".to_owned(),
        (logger, false) => logger.to_owned(),
        (logger, true) => format!("{logger}/grid"),
    };
    let mut draft = Draft::of(channel, DeviceTime::Absent);
    let mut omitted = Vec::new();
    draft.set(quantity, &message.value()?, unit, path, &mut omitted);
    Drafts::one(draft, omitted, Ignored::NoValue)
}
