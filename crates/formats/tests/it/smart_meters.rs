//! Readers of utilities' meters: tariffs and directions that only count together, units in the payload, units left out.

use wattline_formats::FamilyOptions;
use wattline_formats::unit::Unit;

use crate::shown::{assert_made, assert_made_with};

#[test]
fn ams_reader() {
    assert_made(
        "ams-reader",
        &[
            ("ams/h", r#"{"id":"a","t":1795168800,"data":{"P":0,"PO":0}}"#, "P=0 @2026-11-20T10:00:00Z"),
            ("ams/h", r#"{"t":1795168800,"data":{"P":0}}"#, "ignored one_direction"),
            ("ams/h", r#"{"data":{"P":120,"PO":null}}"#, "P=120"),
            ("ams/h", r#"{"data":{"PO":"250"}}"#, "P=-250"),
            ("ams/h", r#"{"data":{"p":3.14,"u1":1}}"#, "ignored other_quantity"),
            ("ams/h", r#"{"data":{"P":[1]}}"#, "refused malformed"),
            ("ams/h", r#"{"data":{"P":5,"U2":[230]}}"#, "P=5 | left out U2=unreadable"),
            ("ams/h", r#"{"data":{"U2":230.5,"I2":-1.5}}"#, "L1() L2(U=230.5 I=-1.5)"),
            (
                "ams/h",
                r#"{"t":1795168810,"data":{"P":7,"tPI":1.5,"tPO":0,"rtc":1795168800}}"#,
                "P=7 @2026-11-20T10:00:10Z; in=1500000 out=0 @2026-11-20T10:00:00Z",
            ),
            ("ams/h", r#"{"t":1795168800,"data":{"tPI":1.5,"rtc":0}}"#, "in=1500000 @2026-11-20T10:00:00Z"),
            ("ams/h", r#"{"t":0,"data":{"P":7}}"#, "P=7 @unset"),
            ("ams/h/power", r#"{"P":7,"Q":3}"#, "P=7 | left out Q=reactive_power"),
            ("ams/h", r#"{"data":null,"name":"AMS","rssi":-60}"#, "ignored other_quantity"),
            ("ams/h", "online", "ignored status"),
            ("ams/h", "[]", "ignored no_value"),
        ],
    );
}

#[test]
fn dsmr_api() {
    let topic = "DSMR-API/x";
    assert_made(
        "dsmr-api",
        &[
            (topic, r#"{"power_delivered":[{"value":0.44,"unit":"kW"}]}"#, "P=440"),
            (topic, r#"{"power_delivered":[{"value":440,"unit":"W"}]}"#, "P=440"),
            (topic, r#"{"power_delivered":[{"value":0.44}]}"#, "P=440"),
            (topic, r#"{"power_delivered":{"value":0.44,"unit":"kW"}}"#, "P=440"),
            (topic, r#"{"power_delivered":0.44}"#, "P=440"),
            (topic, r#"{"power_delivered":[]}"#, "ignored no_value"),
            (topic, r#"{"power_delivered":[{"value":null,"unit":"kW"}]}"#, "ignored no_value"),
            (topic, r#"{"power_delivered":[{"value":"-","unit":"kW"}]}"#, "ignored no_value"),
            (topic, r#"{"power_returned":[{"value":0,"unit":"kW"}]}"#, "ignored one_direction"),
            (topic, r#"{"energy_delivered_tariff1":[{"value":5,"unit":"kWh"}]}"#, "ignored partial_register"),
            (
                topic,
                r#"{"energy_delivered_tariff1":5,"energy_delivered_tariff2":2.0005,"gas_delivered":9}"#,
                "in=7000500",
            ),
            (topic, r#"{"voltage_l3":[{"value":231.0,"unit":"V"}]}"#, "L1() L2() L3(U=231)"),
            (topic, r#"{"power_delivered_l1":1,"power_returned_l1":0.25}"#, "L1(P=750)"),
            (topic, r#"{"power_delivered":[{"value":"much","unit":"kW"}]}"#, "refused malformed"),
        ],
    );
}

#[test]
fn dsmr_reader() {
    let json = "dsmr/json";
    assert_made(
        "dsmr-reader",
        &[
            ("dsmr/reading/electricity_currently_delivered", "0.5", "P=500"),
            ("dsmr/reading/electricity_currently_delivered", "0", "ignored one_direction"),
            ("dsmr/reading/electricity_delivered_1", "12.5", "ignored partial_register"),
            ("dsmr/reading/phase_voltage_l2", "None", "ignored no_value"),
            ("dsmr/reading/phase_voltage_l2", "231", "L1() L2(U=231)"),
            ("dsmr/reading/timestamp", "2026-11-20T10:00:00Z", "ignored other_quantity"),
            ("dsmr/day-consumption/electricity1", "3", "ignored not_the_meter"),
            ("dsmr/meter-stats/rejected_telegrams", "3", "ignored other_quantity"),
            (
                json,
                r#"{"electricity_delivered_1":1,"electricity_delivered_2":null}"#,
                "ignored partial_register",
            ),
            (
                json,
                r#"{"electricity_delivered_1":"1.001","electricity_delivered_2":"2","electricity_returned_1":0,"electricity_returned_2":0}"#,
                "in=3001000 out=0",
            ),
            (
                json,
                r#"{"timestamp":"2026-11-20T10:00:00Z","electricity_currently_delivered":0,"electricity_currently_returned":1.2}"#,
                "P=-1200 @2026-11-20T10:00:00Z",
            ),
            (
                json,
                r#"{"phase_currently_delivered_l1":1,"phase_currently_delivered_l2":2,"phase_currently_delivered_l3":3}"#,
                "P=6000 L1(P=1000) L2(P=2000) L3(P=3000)",
            ),
            (json, "{}", "ignored no_value"),
            (json, "{", "refused malformed"),
        ],
    );
}

#[test]
fn homewizard() {
    let topic = "homewizard/p1";
    assert_made(
        "homewizard",
        &[
            (topic, r#"{"active_power_w":-543,"total_power_import_kwh":1.1}"#, "P=-543 in=1100000"),
            // A P1 meter's only tariff is a part of its register; a socket's is all of it.
            (topic, r#"{"meter_model":"ISKRA","total_power_import_t1_kwh":5}"#, "ignored partial_register"),
            (
                topic,
                r#"{"smr_version":50,"total_power_import_t1_kwh":5,"total_power_import_t2_kwh":6}"#,
                "in=11000000",
            ),
            (topic, r#"{"total_power_import_kwh":12,"total_power_import_t1_kwh":5}"#, "in=12000000"),
            (topic, r#"{"active_power_w":null,"active_power_l1_w":null}"#, "ignored no_value"),
            (
                topic,
                r#"{"power_w":10,"apparent_power_va":12}"#,
                "P=10 | left out apparent_power_va=apparent_power",
            ),
            (topic, r#"{"power_w":{"x":1}}"#, "refused malformed"),
            (topic, r#"{"power_w":1,"voltage_v":true}"#, "P=1 | left out voltage_v=unreadable"),
            (topic, r#"{"timestamp":"2026-11-20T11:00:00","power_w":1}"#, "P=1 @local 2026-11-20 11:00:00"),
            (topic, r#"{"wifi_strength":80}"#, "ignored other_quantity"),
        ],
    );
}

#[test]
fn homewizard_sockets_with_one_tariff() {
    assert_made(
        "homewizard",
        &[
            // Both: the register, and the tariff that it was made of, which is then no further part.
            ("homewizard/s", r#"{"total_power_import_t1_kwh":5}"#, "in=5000000"),
            ("homewizard/s", r#"{"total_power_export_t1_kwh":0,"active_power_w":3}"#, "P=3 out=0"),
        ],
    );
}

#[test]
fn obis_json() {
    let topic = "obis/m";
    assert_made(
        "obis-json",
        &[
            (topic, r#"{"1-0:1.8.0":12345.6,"1-0:2.8.0":0}"#, "in=12345600 out=0"),
            (topic, r#"{"1.8.0":"12345.6 kWh"}"#, "in=12345600000"),
            (topic, r#"{"1.8.0":"12345.6*kWh"}"#, "in=12345600000"),
            (topic, r#"{"1.8.0":{"value":12,"unit":"kWh"}}"#, "in=12000000"),
            (topic, r#"{"1.8.0":{"value":12,"unit":"m3"}}"#, "ignored unit_unknown"),
            (topic, r#"{"1.7.0":100,"2.7.0":30}"#, "P=70"),
            (topic, r#"{"16.7.0":"-1.5 kW","1.7.0":0}"#, "P=-1500"),
            (topic, r#"{"1.8.1":1,"1.8.2":2}"#, "in=3000"),
            (topic, r#"{"1.8.1":1,"1.8.3":2}"#, "ignored partial_register"),
            (topic, r#"{"1.8.2":2}"#, "ignored partial_register"),
            (topic, r#"{"3.7.0":5,"9.7.0":6}"#, "ignored not_the_meter"),
            (topic, r#"{"0-0:96.1.0":"1ISK","7-0:3.0.0":5}"#, "ignored other_quantity"),
            (topic, r#"{"16.7.0":null}"#, "ignored no_value"),
            (topic, r#"{"16.7.0":"n/a"}"#, "ignored no_value"),
            (topic, r#"{"16.7.0":[7]}"#, "refused malformed"),
            (topic, r#"{"data":{"16.7.0":5},"ts":1795168800123}"#, "P=5 @2026-11-20T10:00:00.123Z"),
            (topic, r#"{"56.7.0":7,"32.7.0":230.1}"#, "L1(U=230.1) L2(P=7)"),
            (topic, r#"{"13.7.0":98,"14.7.0":50.01}"#, "pf=0.98 f=50.01"),
        ],
    );
    let in_kwh = FamilyOptions { energy_unit: Some(Unit::Kilo), ..FamilyOptions::default() };
    assert_made_with("obis-json", &in_kwh, &[(topic, r#"{"1.8.0":1.5,"16.7.0":3}"#, "P=3 in=1500000")]);
}

#[test]
fn p1() {
    let topic = "p1/x";
    assert_made(
        "p1",
        &[
            (topic, "/ISK\r\n\r\n1-0:1.7.0(00.424*kW)\r\n1-0:2.7.0(00.000*kW)\r\n!", "P=424"),
            (topic, "/ISK\n1-0:1.8.1(000671.578*kWh)\n1-0:1.8.2(000842.472*kWh)\n!", "in=1514050000"),
            (topic, "/ISK\n1-0:1.8.1(000671.578*kWh)\n!", "ignored partial_register"),
            (topic, "/ISK\n1-0:1.8.0(5*kWh)\n1-0:1.8.1(9*kWh)\n!", "in=5000000"),
            (topic, "/ISK\n1-0:32.7.0(231.0*V)\n1-0:52.7.0(0.0*V)\n!", "L1(U=231) L2(U=0)"),
            (topic, "/ISK\n1-0:1.7.0(1*kW)\n!0000", "refused malformed"),
            (topic, "/ISK\n1-0:1.7.0(1*kW)", "refused malformed"),
            (topic, "1-0:1.7.0(1*kW)\n!", "refused malformed"),
            (topic, "/ISK\n0-0:1.0.0(261120110000W)\n1-0:16.7.0(5*W)\n!", "P=5 @2026-11-20T10:00:00Z"),
            (topic, "/ISK\n0-0:1.0.0()\n1-0:16.7.0(5*W)\n!", "P=5"),
            (topic, "/ISK\n1-0:1.7.0(*kW)\n!", "ignored no_value"),
            (topic, "/ISK\n1-0:1.7.0(\n1-0:16.7.0(5*W)\n!", "P=5"),
            (topic, "/ISK\n1-0:1.7.0(5*horses)\n!", "ignored unit_unknown"),
            // A power factor has no unit.
            (topic, "/ISK\n1-0:1.7.0(5*W)\n1-0:13.7.0(0.999)\n!", "P=5 pf=0.999"),
            (topic, "/ISK\n0-1:24.2.1(101209112500W)(12785.123*m3)\n!", "ignored no_value"),
            (topic, "/ISK\n1-0:21.7.0(1*kW)\n1-0:22.7.0(0.25*kW)\n!", "L1(P=750)"),
            (topic, "noise before/ISK\n1-0:16.7.0(5*W)\n!", "P=5"),
        ],
    );
}

#[test]
fn tasmotas_smart_meter_scripts() {
    let topic = "tele/m/SENSOR";
    assert_made(
        "tasmota",
        &[
            (topic, r#"{"SML":{"Total_in":1.5,"Power_curr":-3}}"#, "P=-3 in=1500000"),
            (topic, r#"{"SML":{"Total_in_T1":1,"Total_in_T2":2}}"#, "in=3000000"),
            (topic, r#"{"SML":{"Total_in_T1":1}}"#, "ignored partial_register"),
            (topic, r#"{"SML":{"Power_in":0,"Power_out":40}}"#, "P=-40"),
            (topic, r#"{"House":{"Power":5},"Heat":{"Power":7}}"#, "<House> P=5; <Heat> P=7"),
            (topic, r#"{"SML":{"Total_in":null,"Power_curr":5}}"#, "P=5"),
            (topic, r#"{"SML":{"Total_in":"","Power_curr":""}}"#, "ignored no_value"),
            (
                topic,
                r#"{"Time":"2026-11-20T11:00","BME280":{"Temperature":21,"Voltage":3.1}}"#,
                "ignored not_the_meter",
            ),
            (topic, r#"{"Time":"1970-01-01T00:00:10","SML":{"Power":5}}"#, "P=5 @unset"),
        ],
    );
}

#[test]
fn teleinfo() {
    let topic = "teleinfo/m";
    assert_made(
        "teleinfo",
        &[
            (
                topic,
                r#"{"BASE":"012345678","PAPP":"00420"}"#,
                "in=12345678000 | left out PAPP=apparent_power",
            ),
            (topic, r#"{"HCHC":1000,"HCHP":2000}"#, "in=3000000"),
            (topic, r#"{"HCHC":1000}"#, "ignored partial_register"),
            (
                topic,
                r#"{"BBRHCJB":1,"BBRHPJB":2,"BBRHCJW":3,"BBRHPJW":4,"BBRHCJR":5}"#,
                "ignored partial_register",
            ),
            (
                topic,
                r#"{"BBRHCJB":1,"BBRHPJB":2,"BBRHCJW":3,"BBRHPJW":4,"BBRHCJR":5,"BBRHPJR":6}"#,
                "in=21000",
            ),
            (topic, r#"{"EJPHN":1,"EJPHPM":null}"#, "ignored partial_register"),
            (topic, r#"{"EAST":{"raw":"000001234","value":1234}}"#, "in=1234000"),
            (topic, r#"{"EAST":{"raw":"000001234"},"EAIT":{"raw":"5"}}"#, "in=1234000 out=5000"),
            (topic, r#"{"DATE":{"horodate":"H261120110000"},"EAST":1}"#, "in=1000 @2026-11-20T10:00:00Z"),
            (topic, r#"{"DATE":"e260720120000","EAST":1}"#, "in=1000 @2026-07-20T10:00:00Z"),
            (topic, r#"{"SINSTS":1200}"#, "ignored not_the_meter"),
            (topic, r#"{"EASF01":5}"#, "ignored partial_register"),
            (topic, r#"{"TIC":{"BASE":7}}"#, "in=7000"),
            (topic, r#"{"BASE":"-"}"#, "ignored no_value"),
            (topic, r#"{"BASE":"12x"}"#, "refused malformed"),
            (topic, r#"{"URMS1":"abc","BASE":1}"#, "in=1000 | left out URMS1=unreadable"),
        ],
    );
}

#[test]
fn tibber() {
    let topic = "tibber/home";
    assert_made(
        "tibber",
        &[
            (topic, r#"{"power":0,"powerProduction":1500}"#, "P=-1500"),
            (topic, r#"{"power":700,"powerProduction":null}"#, "P=700"),
            (topic, r#"{"power":0,"powerProduction":null}"#, "ignored one_direction"),
            (
                topic,
                r#"{"payload":{"data":{"liveMeasurement":{"timestamp":"2026-11-20T11:00:00+01:00","power":7}}}}"#,
                "P=7 @2026-11-20T10:00:00Z",
            ),
            (topic, r#"{"data":{"liveMeasurement":{"lastMeterConsumption":1.5}}}"#, "in=1500000"),
            (topic, r#"{"data":{"liveMeasurement":null}}"#, "ignored no_value"),
            (topic, r#"{"data":null,"errors":[{"message":"x"}]}"#, "ignored other_quantity"),
            (topic, r#"{"accumulatedConsumption":12}"#, "ignored not_the_meter"),
            (topic, r#"{"power":"NaN"}"#, "ignored no_value"),
        ],
    );
}

#[test]
fn vzlogger() {
    let mut options = FamilyOptions::default();
    options.channels.insert("chn0".to_owned(), "1-0:1.8.0".to_owned());
    options.channels.insert("chn1".to_owned(), "power_w".to_owned());
    options.channels.insert("chn2".to_owned(), "a word".to_owned());
    assert_made_with(
        "vzlogger",
        &options,
        &[
            ("vzlogger/data/chn0/raw", "1234.5", "in=1234500"),
            ("vzlogger/data/chn1/raw", "-12.5", "P=-12.5"),
            ("vzlogger/data/chn1/raw", "\"7\"", "P=7"),
            ("vzlogger/data/chn1/raw", "nan", "ignored no_value"),
            (
                "vzlogger/data/chn1/raw",
                r#"{"timestamp":1795168800123,"value":5}"#,
                "P=5 @2026-11-20T10:00:00.123Z",
            ),
            ("vzlogger/data/chn1/raw", r#"{"timestamp":1795168800123}"#, "ignored no_value"),
            ("vzlogger/data/chn1/raw", r#"{"value":null}"#, "ignored no_value"),
            ("vzlogger/data/chn1/agg", "5", "ignored not_the_meter"),
            ("vzlogger/data/chn1/uuid", "5", "ignored status"),
            ("vzlogger/data/chn2/raw", "5", "refused malformed"),
            ("vzlogger/data/chn9/raw", "5", "ignored not_the_meter"),
            ("vzlogger/data/1-0:16.7.0*255/raw", "5", "P=5"),
            ("vzlogger/data/1-0:1.8.1/raw", "5", "ignored partial_register"),
            ("vzlogger/data/1-0:1.7.0/raw", "0", "ignored one_direction"),
        ],
    );
    let in_kwh = FamilyOptions { energy_unit: Some(Unit::Kilo), ..FamilyOptions::default() };
    assert_made_with("vzlogger", &in_kwh, &[("vzlogger/data/1.8.0/raw", "1.5", "in=1500000")]);
}

#[test]
fn watts_live() {
    let topic = "watts/7/measurement";
    assert_made(
        "watts-live",
        &[
            (topic, r#"{"positive_active_power":0,"negative_active_power":250}"#, "P=-250"),
            (topic, r#"{"positive_active_power":0}"#, "ignored one_direction"),
            (
                topic,
                r#"{"positive_active_energy":1234567,"negative_active_energy":0}"#,
                "in=1234567000 out=0",
            ),
            (topic, r#"{"voltage_l3":null,"current_l1":1.5}"#, "L1(I=1.5)"),
            (
                topic,
                r#"{"voltage_l1":[],"positive_active_energy":1}"#,
                "in=1000 | left out voltage_l1=unreadable",
            ),
            (topic, r#"{"reactive_power":5}"#, "ignored not_the_meter"),
        ],
    );
}
