//! Families whose users name the fields: what a name means, and the unit that only the route can say.

use wattline_formats::FamilyOptions;
use wattline_formats::unit::Unit;

use crate::shown::{assert_made, assert_made_with};

fn in_wh() -> FamilyOptions {
    FamilyOptions { energy_unit: Some(Unit::One), ..FamilyOptions::default() }
}

#[test]
fn generic_json() {
    let topic = "meter/h1";
    assert_made(
        "generic-json",
        &[
            (topic, r#"{"power":432.1,"energy":12.5}"#, "P=432.1 in=12500000"),
            (topic, r#"{"energy_wh":12.5}"#, "in=12500"),
            (topic, r#"{"energy":{"value":12.5,"unit":"Wh"}}"#, "in=12500"),
            (topic, r#"{"power":{"value":1.5,"unit":"kW"}}"#, "P=1500"),
            (topic, r#"{"active_power_kw":1.5}"#, "P=1500"),
            (topic, r#"{"power_import":0,"power_export":70}"#, "P=-70"),
            (topic, r#"{"power_export":0}"#, "ignored one_direction"),
            (topic, r#"{"energy_import_t1_kwh":1,"energy_import_t2_kwh":2}"#, "in=3000000"),
            (topic, r#"{"energy_import_t2_kwh":2}"#, "ignored partial_register"),
            (topic, r#"{"energy_today":2,"power":1}"#, "P=1 | left out energy_today=day_counter"),
            (topic, r#"{"apparent_power":2}"#, "ignored not_the_meter"),
            (topic, r#"{"power":null}"#, "ignored no_value"),
            (topic, r#"{"power":"unavailable"}"#, "ignored no_value"),
            (topic, r#"{"power":"12,5"}"#, "P=12.5"),
            (topic, r#"{"temperature":21}"#, "not this family"),
            (topic, r#"{"meter_id":"a","ts":1795168800,"power":1}"#, "id=a P=1 @2026-11-20T10:00:00Z"),
            (topic, r#"{"time":"2026-11-20T11:00:00","power":1}"#, "P=1 @local 2026-11-20 11:00:00"),
            (topic, r#"{"time":"noon","power":1}"#, "P=1 @unreadable"),
            (topic, r#"{"time":0,"power":1}"#, "P=1 @unset"),
            (topic, r#"{"time":null,"power":1}"#, "P=1"),
            (topic, r#"{"time":[],"power":1}"#, "P=1 @unreadable"),
            (topic, r#"{"data":{"power":5,"voltage":230}}"#, "P=5 U=230"),
            (
                topic,
                r#"{"phases":[{"power":1},{"power":2,"voltage":230},{"power":3}]}"#,
                "P=6 L1(P=1) L2(P=2 U=230) L3(P=3)",
            ),
            (topic, r#"{"phases":[{"power":1},{"energy":2}]}"#, "L1(P=1) | left out energy=partial_register"),
            (topic, r#"{"phases":[1,2,3]}"#, "not this family"),
            (
                topic,
                r#"{"phases":[{"power":1},{"power":1},{"power":1},{"power":100}]}"#,
                "P=3 L1(P=1) L2(P=1) L3(P=1)",
            ),
        ],
    );
}

#[test]
fn the_route_says_what_unit_powers_and_currents_have() {
    let options = FamilyOptions {
        power_unit: Some(Unit::Kilo),
        current_unit: Some(Unit::Milli),
        ..FamilyOptions::default()
    };
    let topic = "meter/h1";
    assert_made_with(
        "generic-json",
        &options,
        &[
            (topic, r#"{"power":1.5,"current":6500}"#, "P=1500 I=6.5"),
            // What says its own unit has that.
            (topic, r#"{"power_w":1.5,"current_a":6.5}"#, "P=1.5 I=6.5"),
            (topic, r#"{"power":1.5,"unit":"W"}"#, "P=1.5"),
            (topic, r#"{"power":"1.5 W","current":{"value":6.5,"unit":"A"}}"#, "P=1.5 I=6.5"),
            (topic, r#"{"phases":[{"power":1,"current":250}]}"#, "L1(P=1000 I=0.25)"),
        ],
    );
    assert_made_with(
        "esphome",
        &options,
        &[
            ("node/sensor/power/state", "1.5", "P=1500"),
            ("node/sensor/current/state", "6500", "I=6.5"),
            ("node/sensor/power_delivered/state", "0.5", "P=500"),
        ],
    );
    assert_made_with("modbus", &options, &[("modbus/m1/active_power", "1.5", "P=1500")]);
}

#[test]
fn generic_lists_are_readings_each() {
    let topic = "meter/h1";
    assert_made(
        "generic-json",
        &[
            (topic, r#"[{"id":"a","power":1},{"id":"b","power":2}]"#, "id=a P=1; id=b P=2"),
            (topic, r#"[{"power":1},{"temperature":2}]"#, "P=1"),
            (topic, r#"[{"power":1},5]"#, "refused malformed"),
            (topic, "[]", "ignored no_value"),
            (topic, "7", "refused malformed"),
            (topic, "\"x\"", "refused malformed"),
            (topic, "on", "ignored status"),
            (topic, "", "ignored empty"),
        ],
    );
    let options = FamilyOptions::default();
    let many = format!("[{}]", vec![r#"{"power":1}"#; 1001].join(","));
    let made = crate::shown::decode("generic-json", &options, topic, many.as_bytes());
    assert_eq!(crate::shown::line(&made), "refused too_many_readings");
    let most = format!("[{}]", vec![r#"{"power":1}"#; 1000].join(","));
    let made = crate::shown::decode("generic-json", &options, topic, most.as_bytes());
    assert_eq!(made.unwrap().count(), 1000);
}

#[test]
fn names_of_many_spellings() {
    let topic = "meter/h1";
    assert_made(
        "generic-json",
        &[
            (topic, r#"{"Total Active Power":5}"#, "P=5"),
            (topic, r#"{"activePowerL2":5}"#, "L1() L2(P=5)"),
            (topic, r#"{"power_phase_c":5}"#, "L1() L2() L3(P=5)"),
            (topic, r#"{"Import Active Energy":5}"#, "in=5000000"),
            (topic, r#"{"energyExportkWh":5}"#, "out=5000000"),
            (topic, r#"{"total_mwh":5}"#, "ignored unit_unknown"),
            (topic, r#"{"current_ma":1500}"#, "I=1.5"),
            (topic, r#"{"voltage_l1_l2":400}"#, "ignored not_the_meter"),
            (topic, r#"{"neutral_current":4}"#, "ignored not_the_meter"),
            (topic, r#"{"dc_power":4}"#, "ignored not_the_meter"),
            (topic, r#"{"reactive_energy_kvarh":4}"#, "ignored not_the_meter"),
            (topic, r#"{"power_factor":0.95,"frequency":50.01}"#, "pf=0.95 f=50.01"),
            (topic, r#"{"power_limit":4,"max_power":5,"battery_voltage":3}"#, "ignored not_the_meter"),
            (topic, r#"{"Spannung":230,"Leistung":5}"#, "not this family"),
            (topic, r#"{"pöwer":5}"#, "not this family"),
            (topic, r#"{"":5}"#, "not this family"),
        ],
    );
}

#[test]
fn modbus() {
    assert_made(
        "modbus",
        &[
            ("modbus/m1/active_power", "5", "P=5"),
            ("modbus/m1/import_energy", "5", "in=5000000"),
            ("modbus/m1/active_power", r#"{"value":5}"#, "P=5"),
            ("modbus/m1/active_power", r#"{"value":null}"#, "ignored no_value"),
            ("modbus/m1/active_power", "offline", "ignored status"),
            ("modbus/m1/temperature", "5", "ignored other_quantity"),
            (
                "modbus/m1",
                r#"{"timestamp":1795168800,"Voltage":230.5,"Current":1}"#,
                "U=230.5 I=1 @2026-11-20T10:00:00Z",
            ),
            ("modbus/m1/active_power", "5 W", "P=5"),
            ("modbus/m1/active_power", "5 VA", "refused malformed"),
            ("modbus/m1/active_power", "", "ignored empty"),
        ],
    );
    assert_made_with("modbus", &in_wh(), &[("modbus/m1/import_energy", "5", "in=5000")]);
}

#[test]
fn esphome() {
    assert_made(
        "esphome",
        &[
            ("node/sensor/power/state", "5", "P=5"),
            ("node/sensor/fridge_power/state", "5", "<fridge> P=5"),
            ("node/sensor/energy/state", "5", "ignored unit_unknown"),
            ("node/sensor/energy_kwh/state", "5", "in=5000000"),
            ("node/sensor/fridge_voltage/state", "230.5", "<fridge> U=230.5"),
            ("node/sensor/power_delivered/state", "0.5", "P=500"),
            ("node/sensor/power_returned_l2/state", "0.5", "L1() L2(P=-500)"),
            ("node/sensor/energy_delivered_tariff1/state", "5", "ignored partial_register"),
            ("node/sensor/energy_delivered_lux/state", "5", "in=5000000"),
            ("node/sensor/power_factor/state", "0.9", "pf=0.9"),
            ("node/sensor/temperature/state", "21", "ignored other_quantity"),
            ("node/sensor/power/state", "nan", "ignored no_value"),
            ("node/sensor/power/state", "OFF", "ignored status"),
            ("node/sensor/power/state", "high", "ignored status"),
        ],
    );
    assert_made_with("esphome", &in_wh(), &[("node/sensor/energy/state", "5", "in=5000")]);
}

#[test]
fn telegraf() {
    let topic = "telegraf/gw";
    assert_made(
        "telegraf",
        &[
            (
                topic,
                r#"{"fields":{"power":5},"tags":{"meter_id":"a"},"timestamp":1795168800}"#,
                "id=a P=5 @2026-11-20T10:00:00Z",
            ),
            (topic, r#"{"fields":{"energy_kwh":5},"tags":null}"#, "in=5000000"),
            (
                topic,
                r#"{"metrics":[{"fields":{"power":5},"tags":{"id":"a"}},{"fields":{"power":6},"tags":{"id":"b"}}]}"#,
                "id=a P=5; id=b P=6",
            ),
            (topic, r#"{"metrics":[]}"#, "ignored no_value"),
            (topic, r#"{"metrics":[{"tags":{}}]}"#, "ignored no_value"),
            (topic, r#"{"fields":null}"#, "ignored no_value"),
            (topic, r#"{"fields":{"cpu":5}}"#, "ignored other_quantity"),
            (topic, r#"{"fields":{"power":"x"}}"#, "refused malformed"),
            (topic, "[]", "ignored no_value"),
        ],
    );
    let many = format!(r#"{{"metrics":[{}]}}"#, vec![r#"{"fields":{"power":1}}"#; 1001].join(","));
    let made = crate::shown::decode("telegraf", &FamilyOptions::default(), topic, many.as_bytes());
    assert_eq!(crate::shown::line(&made), "refused too_many_readings");
}

#[test]
fn lorawan_servers() {
    let chirpstack = "application/1/device/ab/event/up";
    assert_made(
        "chirpstack",
        &[
            (
                chirpstack,
                r#"{"time":"2026-11-20T10:00:00Z","object":{"power":5}}"#,
                "P=5 @2026-11-20T10:00:00Z",
            ),
            (chirpstack, r#"{"object":{"energy":5}}"#, "ignored unit_unknown"),
            (chirpstack, r#"{"object":{"energy":5,"power":1}}"#, "P=1 | left out energy=unit_unknown"),
            // Codecs call energy so, and power.
            (chirpstack, r#"{"object":{"power_consumption":1110}}"#, "ignored unit_unknown"),
            (
                chirpstack,
                r#"{"object":{"power_consumption":1110,"voltage":230}}"#,
                "U=230 | left out power_consumption=unit_unknown",
            ),
            (chirpstack, r#"{"data":"AQI="}"#, "ignored other_quantity"),
            (chirpstack, r#"{"object":null}"#, "ignored no_value"),
            (chirpstack, r#"{"object":[]}"#, "ignored no_value"),
            ("application/1/device/ab/event/join", r#"{"object":{"power":5}}"#, "ignored status"),
        ],
    );
    assert_made_with("chirpstack", &in_wh(), &[(chirpstack, r#"{"object":{"energy":5}}"#, "in=5000")]);
    let in_w = FamilyOptions { power_unit: Some(Unit::One), ..FamilyOptions::default() };
    assert_made_with(
        "chirpstack",
        &in_w,
        &[(chirpstack, r#"{"object":{"power_consumption":1110}}"#, "P=1110")],
    );
    let things = "v3/app@ttn/devices/d1/up";
    assert_made(
        "the-things-stack",
        &[
            (
                things,
                r#"{"uplink_message":{"decoded_payload":{"power":5},"received_at":"2026-11-20T10:00:00Z"}}"#,
                "P=5 @2026-11-20T10:00:00Z",
            ),
            (
                things,
                r#"{"uplink_message":{"decoded_payload":{"power":5},"settings":{"time":"2026-11-20T09:59:59Z"},"received_at":"2026-11-20T10:00:00Z"}}"#,
                "P=5 @2026-11-20T09:59:59Z",
            ),
            (things, r#"{"uplink_message":{"frm_payload":"AQ=="}}"#, "ignored other_quantity"),
            (
                things,
                r#"{"uplink_message":{"decoded_payload":{"power_consumption":1110}}}"#,
                "ignored unit_unknown",
            ),
            (things, r#"{"join_accept":{}}"#, "ignored no_value"),
            ("v3/app@ttn/devices/d1/down/queued", "{}", "ignored status"),
            (things, r#"{"uplink_message":{"decoded_payload":{"energy_kwh":"1.5"}}}"#, "in=1500000"),
        ],
    );
}
