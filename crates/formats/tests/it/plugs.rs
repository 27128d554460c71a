//! Plugs, relays and clamps: several measuring points in one message, commands and states beside the values.

use crate::shown::assert_made;

#[test]
fn shelly() {
    let rpc = "plug/events/rpc";
    assert_made(
        "shelly",
        &[
            (
                "plug/status/switch:0",
                r#"{"id":0,"apower":12.5,"aenergy":{"total":7.001}}"#,
                "<switch:0> P=12.5 in=7001",
            ),
            (
                "plug/status/switch:0",
                r#"{"id":0,"apower":null,"aenergy":{"total":null}}"#,
                "ignored no_value",
            ),
            ("plug/status/switch:0", r#"{"id":0,"aenergy":null}"#, "ignored other_quantity"),
            (
                "plug/status/switch:0",
                r#"{"id":0,"errors":["power_meter_failure"]}"#,
                "ignored other_quantity",
            ),
            ("plug/status/wifi", r#"{"apower":5}"#, "ignored status"),
            ("plug/status/temperature:100", r#"{"tC":21}"#, "ignored other_quantity"),
            (
                "plug/status/em:0",
                r#"{"a_act_power":1,"b_act_power":2,"c_act_power":3}"#,
                "<em:0> P=6 L1(P=1) L2(P=2) L3(P=3)",
            ),
            (
                "plug/status/em:0",
                r#"{"a_act_power":1,"b_act_power":2,"c_act_power":null}"#,
                "<em:0> L1(P=1) L2(P=2)",
            ),
            ("plug/online", "true", "ignored status"),
            (rpc, r#"{"method":"NotifyEvent","params":{"ts":1,"events":[]}}"#, "ignored other_quantity"),
            (rpc, r#"{"id":1,"src":"x","result":{}}"#, "ignored command"),
            (rpc, r#"{"method":"NotifyStatus"}"#, "ignored other_quantity"),
            (rpc, r#"{"method":"NotifyStatus","params":null}"#, "ignored other_quantity"),
            (
                rpc,
                r#"{"method":"NotifyStatus","params":{"ts":1795168800.5,"switch:0":{"apower":1},"switch:1":{"apower":2}}}"#,
                "<switch:0> P=1 @2026-11-20T10:00:00.500Z; <switch:1> P=2 @2026-11-20T10:00:00.500Z",
            ),
            (
                rpc,
                r#"{"method":"NotifyFullStatus","params":{"em:0":{"total_act_power":5},"emdata:0":{"total_act":7,"total_act_ret":8}}}"#,
                "<em:0> P=5 in=7000 out=8000",
            ),
            (
                rpc,
                r#"{"method":"NotifyFullStatus","params":{"em1:0":{"act_power":5},"em1:1":{"act_power":6},"em1data:1":{"total_act_energy":7}}}"#,
                "<em1:0> P=5; <em1:1> P=6 in=7000",
            ),
            // 0 is "no clock".
            (
                rpc,
                r#"{"method":"NotifyStatus","params":{"ts":0,"pm1:0":{"apower":1}}}"#,
                "<pm1:0> P=1 @unset",
            ),
            (rpc, r#"{"method":"NotifyStatus","params":{"switch:0":{"apower":"x"}}}"#, "refused malformed"),
            (
                rpc,
                r#"{"method":"NotifyStatus","params":{"switch:0":{"apower":1,"voltage":"x"}}}"#,
                "<switch:0> P=1 | left out voltage=unreadable",
            ),
            (rpc, r#"{"method":"NotifyStatus","params":{"switch:0":7}}"#, "ignored other_quantity"),
        ],
    );
}

#[test]
fn shelly_gen1() {
    assert_made(
        "shelly-gen1",
        &[
            ("shellies/s/relay/0/power", "12.5", "<relay:0> P=12.5"),
            ("shellies/s/relay/0/energy", "60", "<relay:0> in=1000"),
            ("shellies/s/relay/0/energy", "1", "<relay:0> in=17"),
            ("shellies/s/emeter/1/power", "-250.33", "<emeter:1> P=-250.33"),
            ("shellies/s/emeter/1/total", "1234.5", "<emeter:1> in=1234500"),
            ("shellies/s/emeter/1/total_returned", "0", "<emeter:1> out=0"),
            ("shellies/s/emeter/1/energy", "7", "ignored not_the_meter"),
            ("shellies/s/emeter/1/reactive_power", "7", "ignored not_the_meter"),
            ("shellies/s/relay/0", "on", "ignored other_quantity"),
            ("shellies/s/relay/0/command", "on", "ignored command"),
            ("shellies/s/sensor/0/temperature", "21", "ignored other_quantity"),
            ("shellies/s/announce", "{}", "ignored status"),
            ("shellies/s/relay/0/power", "", "ignored empty"),
            ("shellies/s/relay/0/power", "null", "ignored no_value"),
            ("shellies/s/relay/0/power", "12 W", "<relay:0> P=12"),
            ("shellies/s/relay/0/power", "12 VA", "refused malformed"),
        ],
    );
}

#[test]
fn tasmota_energies() {
    let topic = "tele/plug/SENSOR";
    assert_made(
        "tasmota",
        &[
            (
                topic,
                r#"{"ENERGY":{"Total":1.234,"Power":5,"Today":0.1}}"#,
                "P=5 in=1234000 | left out Today=day_counter",
            ),
            (topic, r#"{"StatusSNS":{"ENERGY":{"Power":5}}}"#, "P=5"),
            (
                topic,
                r#"{"Time":"2026-11-20T11:00:00","ENERGY":{"Power":5}}"#,
                "P=5 @local 2026-11-20 11:00:00",
            ),
            // Of both the one counts that needs no zone.
            (
                topic,
                r#"{"Time":"2026-11-20T11:00:00","Epoch":1795168800,"ENERGY":{"Power":5}}"#,
                "P=5 @2026-11-20T10:00:00Z",
            ),
            (
                topic,
                r#"{"StatusSNS":{"Time":"2026-11-20T11:00:00","Epoch":1795168800,"ENERGY":{"Power":5}}}"#,
                "P=5 @2026-11-20T10:00:00Z",
            ),
            (
                topic,
                r#"{"Time":"2026-11-20T11:00:00","Epoch":12,"ENERGY":{"Power":5}}"#,
                "P=5 @local 2026-11-20 11:00:00",
            ),
            (
                topic,
                r#"{"Time":"2026-11-20T11:00:00","Epoch":"soon","ENERGY":{"Power":5}}"#,
                "P=5 @local 2026-11-20 11:00:00",
            ),
            (topic, r#"{"Time":"1970-01-01T00:00:12","Epoch":12,"ENERGY":{"Power":5}}"#, "P=5 @unset"),
            (
                topic,
                r#"{"ENERGY":{"TotalStartTime":"2026-01-01T00:00:00Z","Power":5}}"#,
                "P=5 since 2026-01-01T00:00:00Z",
            ),
            (topic, r#"{"ENERGY":{"Power":null,"Total":null}}"#, "ignored no_value"),
            (topic, r#"{"ENERGY":{"Power":{},"Total":1}}"#, "in=1000000 | left out Power=unreadable"),
            (topic, r#"{"ENERGY":{"Factor":{},"Power":1}}"#, "P=1 | left out Factor=unreadable"),
            ("tele/plug/STATE", r#"{"ENERGY":{"Power":5}}"#, "ignored status"),
            ("tele/plug/LWT", "Online", "ignored status"),
            (topic, r#"{"ENERGY":{"Load":12,"Power":500}}"#, "ignored not_the_meter"),
            (topic, r#"{"METER":{"W":500,"P":600}}"#, "P=500 | left out P=apparent_power"),
            (
                topic,
                r#"{"TIC":{"BASE":"5"},"ENERGY":{"Power":9}}"#,
                "in=5000 | left out Power=apparent_power",
            ),
        ],
    );
}

#[test]
fn tasmota_lists_of_phases_and_relays() {
    let topic = "tele/plug/SENSOR";
    assert_made(
        "tasmota",
        &[
            (topic, r#"{"ENERGY":{"Power":[1,2,3]}}"#, "P=6 L1(P=1) L2(P=2) L3(P=3)"),
            (topic, r#"{"ENERGY":{"Power":[1,2],"Total":[0.5,0.25]}}"#, "P=3 in=750000"),
            (
                topic,
                r#"{"ENERGY":{"Voltage":[230,231,232],"Power":[0,0,0]}}"#,
                "P=0 L1(P=0 U=230) L2(P=0 U=231) L3(P=0 U=232)",
            ),
            (topic, r#"{"ENERGY":{"Power":[],"Total":[]}}"#, "ignored no_value"),
            // Tasmota writes null for NaN: what one of several doesn't say makes the sum unknown.
            (topic, r#"{"ENERGY":{"Total":[100.0,null,20.0]}}"#, "ignored partial_register"),
            (topic, r#"{"ENERGY":{"Power":[5,null,7]}}"#, "L1(P=5) L2() L3(P=7)"),
            (topic, r#"{"ENERGY":{"Power":[null,null],"Total":[1,2]}}"#, "in=3000000"),
            (
                topic,
                r#"{"ENERGY":{"ExportActive":[1,"nan",3],"Power":[1,2,3]}}"#,
                "P=6 L1(P=1) L2(P=2) L3(P=3) | left out ExportActive=partial_register",
            ),
            (topic, r#"{"ENERGY":{"Today":[1,2],"Power":[1,2]}}"#, "P=3 | left out Today=day_counter"),
        ],
    );
}

#[test]
fn zigbee2mqtt() {
    let topic = "zigbee2mqtt/plug";
    assert_made(
        "zigbee2mqtt",
        &[
            (topic, r#"{"power":12,"energy":1.5,"state":"ON"}"#, "P=12 in=1500000"),
            (topic, r#"{"power":null,"energy":null}"#, "ignored no_value"),
            (topic, r#"{"voltage":3000,"battery":97,"contact":true}"#, "ignored not_the_meter"),
            (topic, r#"{"last_seen":"2026-11-20T11:00:00+01:00","power":1}"#, "P=1 @2026-11-20T10:00:00Z"),
            (topic, r#"{"last_seen":1795168800123,"power":1}"#, "P=1 @2026-11-20T10:00:00.123Z"),
            (topic, r#"{"power":1,"power_phase_b":2,"power_phase_c":3}"#, "P=6 L1(P=1) L2(P=2) L3(P=3)"),
            (
                topic,
                r#"{"power":6,"voltage":230,"voltage_phase_b":231,"voltage_phase_c":232}"#,
                "P=6 L1(U=230) L2(U=231) L3(U=232)",
            ),
            (
                topic,
                r#"{"power_a":1,"power_b":2,"power_c":3,"energy_a":1}"#,
                "P=6 L1(P=1) L2(P=2) L3(P=3) | left out energy_a=partial_register",
            ),
            (topic, r#"{"power_a":5,"energy_flow_a":"producing","power_b":7}"#, "<a> P=-5; <b> P=7"),
            (topic, r#"{"power_l1":5,"power_l2":7,"voltage":230}"#, "<l1> P=5 U=230; <l2> P=7 U=230"),
            (topic, r#"{"current_tier1_summ_delivered":1,"current_tier2_summ_delivered":2}"#, "in=3000000"),
            (topic, r#"{"current_tier2_summ_delivered":2}"#, "ignored partial_register"),
            ("zigbee2mqtt/plug/availability", r#"{"state":"online"}"#, "ignored status"),
            ("zigbee2mqtt/plug/set", r#"{"power":5}"#, "ignored command"),
            ("zigbee2mqtt/plug/power", "5", "ignored not_the_meter"),
            (topic, r#"{"power":"x"}"#, "refused malformed"),
            (topic, r#"[{"power":5}]"#, "refused malformed"),
        ],
    );
}

#[test]
fn iotawatt() {
    let topic = "iotawatt/x";
    assert_made(
        "iotawatt",
        &[
            (
                topic,
                r#"{"inputs":[{"channel":0,"Vrms":230,"Hz":50},{"channel":1,"Watts":"120"}]}"#,
                "<1> P=120 | left out voltage_v=no_meter, frequency_hz=no_meter",
            ),
            (topic, r#"{"outputs":[{"name":"Main ","units":"Watts","value":99.5}]}"#, "<Main> P=99.5"),
            (topic, r#"{"outputs":[{"name":"V","units":"Volts","value":230}]}"#, "ignored not_the_meter"),
            (
                topic,
                r#"{"house":{"Watts":5,"Wh":1000},"car":{"Watts":7}}"#,
                "<house> P=5 in=1000000; <car> P=7",
            ),
            (topic, r#"{"inputs":[],"outputs":null}"#, "ignored no_value"),
            (topic, r#"{"inputs":[{"Watts":5}]}"#, "ignored not_the_meter"),
            (topic, r#"{"inputs":[{"channel":1,"Watts":null}]}"#, "ignored no_value"),
            (topic, r#"{"inputs":[{"channel":1,"Watts":"x"}]}"#, "refused malformed"),
            (topic, r#"{"inputs":[{"channel":1,"Watts":1,"VA":2}]}"#, "<1> P=1 | left out VA=apparent_power"),
            (topic, r#"{"inputs":{"channel":1,"Watts":1}}"#, "<inputs> P=1"),
        ],
    );
}

#[test]
fn emon() {
    assert_made(
        "emon",
        &[
            ("emon/emonpi/power1", "100", "<ct1> P=100"),
            ("emon/emonpi/power1pluspower2", "100", "ignored not_the_meter"),
            ("emon/emonpi/vrms", "240", "ignored not_the_meter"),
            ("emon/emonpi/t1", "21", "ignored other_quantity"),
            ("emon/emonpi/E1", "12345", "<ct1> in=12345000"),
            ("emon/emonpi/kwh", "1.5", "in=1500000"),
            (
                "emon/tx",
                r#"{"P1":5,"E1":10,"P2":7,"Vrms":230.5,"pulse":3}"#,
                "<ct1> P=5 in=10000 U=230.5; <ct2> P=7 U=230.5",
            ),
            ("emon/tx", r#"{"time":1795168800,"P1":5}"#, "<ct1> P=5 @2026-11-20T10:00:00Z"),
            ("emon/tx", r#"{"P1":null,"P2":3}"#, "<ct2> P=3"),
            ("emon/tx", r#"{"Vrms":230}"#, "ignored not_the_meter"),
            ("emon/tx", r#"{"P1":"x"}"#, "refused malformed"),
            ("emon/emonpi/power1", "NAN", "ignored no_value"),
        ],
    );
}

#[test]
fn mbmd() {
    assert_made(
        "mbmd",
        &[
            ("mbmd/sdm1-1/Power", "12.5", "P=12.5"),
            ("mbmd/sdm1-1/Import", "1234.567", "in=1234567000"),
            ("mbmd/sdm1-1/Sum", "1234.567", "ignored not_the_meter"),
            ("mbmd/sdm1-1/ImportL1", "1", "ignored partial_register"),
            ("mbmd/sdm1-1/ImportT1", "1", "ignored partial_register"),
            ("mbmd/sdm1-1/Voltage/L1", "230.100", "L1(U=230.1)"),
            ("mbmd/sdm1-1/Import/T1", "1", "ignored partial_register"),
            ("mbmd/sdm1-1/VoltageL1_/L2", "400.1", "ignored other_quantity"),
            ("mbmd/sdm1-1/PowerL3", "-1", "L1() L2() L3(P=-1)"),
            ("mbmd/sdm1-1/Cosphi", "-0.5", "pf=-0.5"),
            ("mbmd/sdm1-1/ImportPower", "0", "ignored one_direction"),
            ("mbmd/sdm1-1/THD", "1", "ignored other_quantity"),
            ("mbmd/sdm1-1/status", "online", "ignored status"),
            ("mbmd/sdm1-1/Power", "NaN", "ignored no_value"),
            ("mbmd/sdm1-1/Power", "Inf", "P=inf"),
        ],
    );
}
