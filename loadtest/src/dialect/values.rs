//! Devices that publish each value on a topic of its own.

use super::{Made, Speaker, decimal};

/// A plug: the state of its switch, its power, and its counter in watt-minutes.
pub(super) fn shelly_gen1(speaker: &mut Speaker<'_>) {
    let (power, power_w) = speaker.power();
    let watt_minutes = speaker.sample.energy_import_mwh * 60 / 1_000_000;
    let import_mwh = (watt_minutes * 1000 + 30).div_euclid(60);
    let relay = format!("shellies/{}/relay/0", speaker.id);
    speaker.say(relay.clone(), "on", None);
    speaker.say(format!("{relay}/power"), power, Some(Made::power(power_w).on("/relay:0")));
    let made = Made::import(import_mwh).on("/relay:0");
    speaker.say(format!("{relay}/energy"), watt_minutes.to_string(), Some(made));
}

/// A grid meter below a GX device.
pub(super) fn victron(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (import, import_mwh)) = (speaker.power(), speaker.import());
    let (export, export_mwh) = speaker.export();
    let voltage = speaker.voltage();
    let meter = format!("N/{}/grid/30", speaker.id);
    let channel = "/grid/30";
    let mut say = |path: &str, value: &str, made: Made| {
        speaker.say(format!("{meter}/{path}"), format!("{{\"value\":{value}}}"), Some(made.on(channel)));
    };
    say("Ac/Power", &power, Made::power(power_w));
    say("Ac/L1/Voltage", &voltage, Made::default());
    say("Ac/Energy/Forward", &import, Made::import(import_mwh));
    say("Ac/Energy/Reverse", &export, Made::export(export_mwh));
}

/// An inverter: the values of its phase, and one of its own that is no meter's.
pub(super) fn opendtu(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (total, export_mwh)) = (speaker.generated(), speaker.export());
    let inverter = format!("solar/{}", speaker.id);
    let voltage = speaker.voltage();
    speaker.say(format!("{inverter}/0/power"), power, Some(Made::power(power_w)));
    speaker.say(format!("{inverter}/0/voltage"), voltage, Some(Made::default()));
    speaker.say(format!("{inverter}/0/yieldtotal"), total, Some(Made::export(export_mwh)));
    speaker.say(format!("{inverter}/0/temperature"), "31.5", None);
}

pub(super) fn esphome(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (import, import_mwh)) = (speaker.power(), speaker.import());
    let sensor = format!("{}/sensor", speaker.id);
    speaker.say(format!("{sensor}/power/state"), power, Some(Made::power(power_w)));
    speaker.say(format!("{sensor}/energy_kwh/state"), import, Some(Made::import(import_mwh)));
    speaker.say(format!("{sensor}/wifi_signal/state"), "-61", None);
}

pub(super) fn mbmd(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (import, import_mwh)) = (speaker.power(), speaker.import());
    let (export, export_mwh) = speaker.export();
    let frequency = decimal(i64::from(speaker.sample.frequency_mhz), 3);
    let meter = format!("mbmd/{}", speaker.id);
    speaker.say(format!("{meter}/Power"), power, Some(Made::power(power_w)));
    speaker.say(format!("{meter}/Import"), import, Some(Made::import(import_mwh)));
    speaker.say(format!("{meter}/Export"), export, Some(Made::export(export_mwh)));
    speaker.say(format!("{meter}/Frequency"), frequency, Some(Made::default()));
}

/// A wallbox: its phases as an array, its counter, and its car's state.
pub(super) fn go_echarger(speaker: &mut Speaker<'_>) {
    let (watts, power_w) =
        (speaker.sample.power_dw.abs() / 10, f64::from(speaker.sample.power_dw.abs() / 10));
    let wh = speaker.sample.energy_import_mwh / 1000;
    let charger = format!("go-eCharger/{}", speaker.id);
    let array =
        format!("[230,231,229,0,{current},0,0,{watts},0,0,0,{watts},99,0,0,0]", current = speaker.current());
    speaker.say(format!("{charger}/nrg"), array, Some(Made::power(power_w)));
    speaker.say(format!("{charger}/eto"), wh.to_string(), Some(Made::import(wh * 1000)));
    speaker.say(format!("{charger}/car"), "2", None);
}

pub(super) fn modbus(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (import, import_mwh)) = (speaker.power(), speaker.import());
    let meter = format!("modbus/{}", speaker.id);
    speaker.say(format!("{meter}/active_power"), power, Some(Made::power(power_w)));
    speaker.say(format!("{meter}/total_energy_kwh"), import, Some(Made::import(import_mwh)));
}
