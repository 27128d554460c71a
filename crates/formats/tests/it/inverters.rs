//! Inverters feed in: their power is negative and their yield is export. A day's yield and the direct-current side are none of
//! the meter's.

use crate::shown::assert_made;

#[test]
fn ahoydtu() {
    assert_made(
        "ahoydtu",
        &[
            ("inverter/roof/ch0/P_AC", "812.5", "P=-812.5"),
            ("inverter/roof/ch0/P_AC", "0", "P=0"),
            ("inverter/roof/ch0/P_AC", "-3", "P=3"),
            ("inverter/roof/ch0/YieldTotal", "1234.567", "out=1234567000"),
            ("inverter/roof/ch0/YieldDay", "300", "ignored not_the_meter"),
            ("inverter/roof/ch0/Temp", "30", "ignored other_quantity"),
            ("inverter/roof/ch0/U_AC_3N", "230", "L1() L2() L3(U=230)"),
            ("inverter/roof/ch0/PF_AC", "1.000", "pf=1"),
            ("inverter/roof/ch0/P_AC", "x", "refused malformed"),
            ("inverter/roof/ch0/F_AC", "x", "ignored not_the_meter"),
            ("inverter/roof/ch0/P_AC", "", "ignored empty"),
            ("inverter/roof/ch1/P_DC", "5", "ignored not_the_meter"),
            ("inverter/total/P_AC", "5", "ignored not_the_meter"),
            ("inverter/ctrl/power/1", "5", "ignored command"),
            ("inverter/roof/available", "2", "ignored status"),
            (
                "inverter/roof/ch0",
                r#"{"P_AC":100,"YieldTotal":1,"P_DC":110}"#,
                "P=-100 out=1000000 | left out P_DC=dc_side",
            ),
            ("inverter/roof/ch0", r#"{"P_AC":null}"#, "ignored no_value"),
            ("inverter/roof/ch0", "5", "refused malformed"),
        ],
    );
}

#[test]
fn opendtu() {
    assert_made(
        "opendtu",
        &[
            ("solar/116/0/power", "250.1", "P=-250.1"),
            ("solar/116/0/yieldtotal", "0.5", "out=500000"),
            ("solar/116/0/powerdc", "260", "ignored not_the_meter"),
            ("solar/116/0/powerfactor", "0.99", "pf=0.99"),
            ("solar/116/0/efficiency", "95", "ignored other_quantity"),
            ("solar/116/1/power", "100", "ignored not_the_meter"),
            ("solar/116/cmd/limit_persistent_relative", "100", "ignored command"),
            ("solar/116/status/producing", "1", "ignored status"),
            ("solar/116/name", "Roof", "ignored status"),
            ("solar/ac/power", "500", "ignored not_the_meter"),
            ("solar/dc/power", "500", "ignored not_the_meter"),
            ("solar/dtu/uptime", "5", "ignored status"),
            ("solar/116/0/power", "nan", "ignored no_value"),
            ("solar/116/0/power", "1e400", "P=-inf"),
        ],
    );
}

#[test]
fn deye() {
    assert_made(
        "deye",
        &[
            ("deye/ac/active_power", "400", "P=-400"),
            ("deye/1234567/ac/active_power", "400", "<1234567> P=-400"),
            ("deye/1234567/ac/total_grid_power", "-400", "<1234567/grid> P=-400"),
            ("deye/ac/total_energy_bought", "1.5", "<grid> in=1500000"),
            ("deye/ac/total_energy_sold", "2.5", "<grid> out=2500000"),
            ("deye/total_energy", "3.5", "out=3500000"),
            ("deye/ac/l2/power", "40", "L1() L2(P=-40)"),
            ("deye/ac/total_power", "40", "ignored not_the_meter"),
            ("deye/day_energy", "1", "ignored not_the_meter"),
            ("deye/settings/workmode", "1", "ignored command"),
            ("deye/ac/relay/command", "1", "ignored command"),
            ("deye/uptime", "1", "ignored status"),
            ("deye/radiator_temp", "1", "ignored other_quantity"),
            ("deye/ac/freq", "None", "ignored no_value"),
            ("deye/ac/active_power", "x", "refused malformed"),
        ],
    );
}

#[test]
fn fronius_meters_and_inverters() {
    let topic = "fronius/m";
    assert_made(
        "fronius",
        &[
            (topic, r#"{"PowerReal_P_Sum":-500,"Meter_Location_Current":0}"#, "P=-500"),
            // One in the path of consumption counts the other way round, registers by their names.
            (
                topic,
                r#"{"PowerReal_P_Sum":-500,"PowerReal_P_Phase_1":-500,"EnergyReal_WAC_Sum_Consumed":7,"Meter_Location_Current":1}"#,
                "P=500 in=7000 L1(P=500)",
            ),
            (topic, r#"{"PowerReal_P_Sum":0,"Meter_Location_Current":256}"#, "P=0"),
            (topic, r#"{"PowerReal_P_Sum":null,"PAC":{"Unit":"W","Value":100}}"#, "P=-100"),
            (
                topic,
                r#"{"PAC":{"Unit":"kW","Value":1.5},"TOTAL_ENERGY":{"Unit":"Wh","Value":5}}"#,
                "P=-1500 out=5000",
            ),
            (
                topic,
                r#"{"PAC":{"Unit":"W","Value":null},"TOTAL_ENERGY":{"Unit":"Wh","Value":5}}"#,
                "out=5000",
            ),
            (topic, r#"{"TOTAL_ENERGY":5,"DAY_ENERGY":1}"#, "out=5000 | left out DAY_ENERGY=day_counter"),
            (
                topic,
                r#"{"Head":{"Timestamp":"2026-11-20T11:00:00+01:00"},"Body":{"Data":{"0":{"PowerReal_P_Sum":1},"1":{"PowerReal_P_Sum":2}}}}"#,
                "<0> P=1 @2026-11-20T10:00:00Z; <1> P=2 @2026-11-20T10:00:00Z",
            ),
            (
                topic,
                r#"{"Head":{"Timestamp":"2026-11-20T11:00:00+01:00"},"Body":{"Data":{"PowerReal_P_Sum":1,"TimeStamp":1795168801}}}"#,
                "P=1 @2026-11-20T10:00:01Z",
            ),
            (topic, r#"{"Head":{"Status":{"Code":255}},"Body":{}}"#, "ignored other_quantity"),
            (topic, r#"{"PowerReal_P_Sum":"x"}"#, "refused malformed"),
        ],
    );
}

#[test]
fn huawei() {
    assert_made(
        "huawei",
        &[
            ("huawei/i/active_power", "1500", "P=-1500"),
            ("huawei/i/power_meter_active_power", "300", "<grid> P=-300"),
            ("huawei/i/grid_accumulated_energy", "12.34", "<grid> in=12340000"),
            ("huawei/i/storage_state_of_capacity", "87.5", "<battery> soc=87.5"),
            ("huawei/i/daily_yield_energy", "5", "ignored not_the_meter"),
            ("huawei/i/model_name", "SUN2000", "ignored other_quantity"),
            ("huawei/i/active_power", "offline", "ignored status"),
            (
                "huawei/i",
                r#"{"active_power":100,"power_meter_active_power":-50,"storage_state_of_capacity":10,"timestamp":1795168800}"#,
                "P=-100 @2026-11-20T10:00:00Z; <grid> P=50 @2026-11-20T10:00:00Z; <battery> soc=10 @2026-11-20T10:00:00Z",
            ),
            ("huawei/i", r#"{"active_power":100,"storage_state_of_capacity":null}"#, "P=-100"),
            // A state of charge is a secondary measure: what can't be read of it costs nothing else.
            (
                "huawei/i",
                r#"{"active_power":100,"storage_state_of_capacity":{"x":1}}"#,
                "P=-100 | left out storage_state_of_capacity=unreadable",
            ),
            ("huawei/i", r#"{"active_power":[1]}"#, "refused malformed"),
        ],
    );
}

#[test]
fn sma() {
    assert_made(
        "sma",
        &[
            (
                "sma/x",
                r#"{"PACTot":1500,"ETotal":12.5,"EToday":1}"#,
                "P=-1500 out=12500000 | left out EToday=day_counter",
            ),
            ("sma/x", r#"{"PACTot":1500,"Timestamp":"08/11/2021 10:00:00"}"#, "P=-1500"),
            ("sma/x", r#"{"PACTot":1,"Timestamp":"2026-11-20T11:00:00"}"#, "P=-1 @local 2026-11-20 11:00:00"),
            ("sma/x", r#"{"PAC1":1,"PAC2":2,"PAC3":3}"#, "P=-6 L1(P=-1) L2(P=-2) L3(P=-3)"),
            ("sma/x", r#"{"PAC1":1,"PAC2":2,"PAC3":null}"#, "L1(P=-1) L2(P=-2)"),
            (
                "SMA-EM/status/1900",
                r#"{"pconsume":0,"psupply":200,"pconsumecounter":5}"#,
                "P=-200 in=5000000",
            ),
            ("SMA-EM/status/1900/pconsume", "100", "P=100"),
            ("SMA-EM/status/1900/psupply", "0", "ignored one_direction"),
            ("SMA-EM/status/1900/u2", "229", "L1() L2(U=229)"),
            ("SMA-EM/status/1900/sconsume", "100", "ignored not_the_meter"),
            ("SMA-EM/status/1900/speedwire-version", "2", "ignored other_quantity"),
            ("sma/x", r#"{"PDCTot":1500}"#, "ignored not_the_meter"),
            ("sma/x", r#"{"PACTot":"NaN"}"#, "ignored no_value"),
        ],
    );
}

#[test]
fn solaredge() {
    let topic = "solaredge/modbus/inverter";
    assert_made(
        "solaredge",
        &[
            (
                topic,
                r#"{"ac":{"power":{"actual":1500},"frequency":50.01},"energytotal":1234}"#,
                "P=-1500 out=1234000 f=50.01",
            ),
            (topic, r#"{"ac":{"power":{"actual":null}}}"#, "ignored no_value"),
            (topic, r#"{"ac":{"power":{"l1":1,"l2":2,"l3":3}}}"#, "P=-6 L1(P=-1) L2(P=-2) L3(P=-3)"),
            (topic, r#"{"ac":[]}"#, "ignored no_value"),
            (
                "solaredge/modbus/meter/grid",
                r#"{"power":{"actual":-300,"reactive":5},"energy":{"totalimport":7,"totalexport":8}}"#,
                "P=300 in=7000 out=8000 | left out reactive=reactive_power",
            ),
            ("solaredge/modbus/meter/grid", r#"{"power":{"actual":-300},"energy":null}"#, "P=300"),
            ("solaredge/modbus/battery/b", r#"{"state_of_charge":55.5,"power":-100}"#, "soc=55.5"),
            (
                "solaredge/modbus/battery/b",
                r#"{"state_of_charge":[1],"power":-100}"#,
                "ignored not_the_meter",
            ),
            (topic, r#"{"ac":{"power":{"actual":"x"}}}"#, "refused malformed"),
        ],
    );
}

#[test]
fn enphase_readings_and_live_status() {
    assert_made(
        "enphase",
        &[
            (
                "envoy/readings",
                r#"[{"eid":704643328,"timestamp":1795168800,"activePower":500,"actEnergyDlvd":9,"actEnergyRcvd":1},{"eid":704643584,"activePower":-300,"actEnergyDlvd":7}]"#,
                "<production> P=-500 in=1000 out=9000 @2026-11-20T10:00:00Z; <net-consumption> P=-300 in=7000",
            ),
            ("envoy/readings", r#"[{"eid":704643328},{"activePower":7}]"#, "ignored other_quantity"),
            (
                "envoy/readings",
                r#"[{"eid":5,"activePower":7,"apparentPower":9}]"#,
                "<5> P=7 | left out apparentPower=apparent_power",
            ),
            ("envoy/readings", "[]", "ignored no_value"),
            ("envoy/readings", "[1,null,\"x\"]", "not this family"),
            (
                "envoy/live",
                r#"{"meters":{"last_update":1795168800,"pv":{"agg_p_mw":1500000},"grid":{"agg_p_mw":-500000},"storage":{"agg_p_mw":5}}}"#,
                "<net-consumption> P=-500 @2026-11-20T10:00:00Z; <production> P=-1500 @2026-11-20T10:00:00Z",
            ),
            (
                "envoy/live",
                r#"{"meters":{"load":{"agg_p_mw":null,"agg_p_ph_a_mw":1000}}}"#,
                "<total-consumption> L1(P=1)",
            ),
            ("envoy/live", "offline", "ignored status"),
        ],
    );
}

#[test]
fn enphase_streams_with_dead_phases() {
    let phase = |p: &str, v: &str| format!(r#"{{"p":{p},"v":{v}}}"#);
    let role =
        |a: &str, b: &str, c: &str| format!(r#"{{"production":{{"ph-a":{a},"ph-b":{b},"ph-c":{c}}}}}"#);
    let (dead, live, more) = (phase("0", "0.0"), phase("100", "230"), phase("50", "231"));
    let cases = [
        (role(&live, &more, &dead), "<production> P=-150 L1(P=-100 U=230) L2(P=-50 U=231)"),
        (role(&dead, &live, &more), "<production> P=-150 L1() L2(P=-100 U=230) L3(P=-50 U=231)"),
        (role(&live, &dead, &more), "<production> P=-150 L1(P=-100 U=230) L2() L3(P=-50 U=231)"),
        (role(&dead, &dead, &dead), "ignored other_quantity"),
        // A live phase without power: the others are not all of it.
        (role(&live, r#"{"v":230}"#, &dead), "<production> L1(P=-100 U=230) L2(U=230)"),
        (role(&live, &phase("null", "230"), &dead), "<production> L1(P=-100 U=230) L2(U=230)"),
    ];
    for (payload, expected) in cases {
        let options = wattline_formats::FamilyOptions::default();
        let made = crate::shown::decode("enphase", &options, "envoy/stream", payload.as_bytes());
        assert_eq!(crate::shown::line(&made), expected, "{payload}");
    }
}
