//! Wallboxes and home energy managers: what is a session's, a sum or computed is not the meter's register.

use crate::shown::assert_made;

#[test]
fn evcc() {
    assert_made(
        "evcc",
        &[
            ("evcc/site/gridPower", "-500.5", "<grid> P=-500.5"),
            ("evcc/site/grid/power", "500", "<grid> P=500"),
            ("evcc/site/grid/returnEnergy", "1.5", "<grid> out=1500000"),
            ("evcc/site/pv/1/power", "2000", "<pv/1> P=-2000"),
            ("evcc/site/pv/2/energy", "7", "<pv/2> out=7000000"),
            ("evcc/site/pvPower", "2000", "ignored not_the_meter"),
            ("evcc/site/homePower", "200", "ignored not_the_meter"),
            ("evcc/site/batterySoc", "55", "<battery> soc=55"),
            ("evcc/site/battery/1/soc", "55.5", "<battery/1> soc=55.5"),
            ("evcc/site/battery/1/soc", "full", "ignored not_the_meter"),
            ("evcc/loadpoints/1/chargePower", "11000", "<loadpoint/1> P=11000"),
            ("evcc/loadpoints/1/chargedEnergy", "5", "ignored not_the_meter"),
            ("evcc/loadpoints/1/mode", "pv", "ignored other_quantity"),
            ("evcc/status", "online", "ignored status"),
            ("evcc/site/gridPower", "nil", "ignored no_value"),
            ("evcc/site/gridPower", "", "ignored empty"),
        ],
    );
}

#[test]
fn go_echarger() {
    let nrg = "go-eCharger/1/nrg";
    assert_made(
        "go-echarger",
        &[
            (
                nrg,
                "[230,231,232,1,10,11,12,2300,2500,2700,0,7500,100,100,100,0]",
                "P=7500 L1(P=2300 U=230 I=10) L2(P=2500 U=231 I=11) L3(P=2700 U=232 I=12)",
            ),
            (nrg, "[230,231]", "L1(U=230) L2(U=231)"),
            (nrg, "[]", "ignored no_value"),
            (nrg, "null", "ignored no_value"),
            (nrg, "[230,null,\"x\"]", "L1(U=230) | left out nrg=unreadable"),
            (
                nrg,
                "[0,0,0,0,0,0,0,0,0,0,0,\"x\"]",
                "P=0 L1(P=0 U=0 I=0) L2(P=0 U=0 I=0) L3(P=0 U=0 I=0) | left out nrg=unreadable",
            ),
            ("go-eCharger/1/eto", "1234567", "in=1234567000"),
            ("go-eCharger/1/fhz", "49.9", "f=49.9"),
            ("go-eCharger/1/wh", "5", "ignored not_the_meter"),
            ("go-eCharger/1/set", "5", "ignored command"),
            ("go-eCharger/1/car", "2", "ignored other_quantity"),
            (
                "go-eCharger/1/status",
                r#"{"nrg":[230,0,0,0,100,0,0,23,0,0,0,230],"eto":"120"}"#,
                "P=2300 in=12000000 L1(P=2300 U=230 I=10) L2(P=0 U=0 I=0) L3(P=0 U=0 I=0)",
            ),
            // Connected to N: L1 stands in its place.
            (
                "go-eCharger/1/status",
                r#"{"pha":"8","nrg":[0,0,0,229,100,0,0,0,0,0,22,220]}"#,
                "P=2200 L1(P=2200 U=229 I=10) L2(P=0 U=0 I=0) L3(P=0 U=0 I=0)",
            ),
            ("go-eCharger/1/status", r#"{"nrg":null,"eto":null}"#, "ignored no_value"),
        ],
    );
}

#[test]
fn openwb() {
    assert_made(
        "openwb",
        &[
            ("openWB/evu/W", "-1500", "<evu> P=-1500"),
            ("openWB/evu/WhImported", "5000.5", "<evu> in=5000500"),
            ("openWB/evu/DailyYieldImportKwh", "5", "ignored not_the_meter"),
            ("openWB/pv/W", "-2000", "<pv> P=-2000"),
            ("openWB/pv/WhCounter", "7", "<pv> out=7000"),
            ("openWB/lp/1/kWhCounter", "1.5", "<lp/1> in=1500000"),
            ("openWB/lp/1/kWhActualCharged", "1.5", "ignored not_the_meter"),
            ("openWB/counter/0/get/power", "300", "<counter/0> P=300"),
            ("openWB/counter/0/get/powers", "[100,null,50]", "<counter/0> L1(P=100) L2() L3(P=50)"),
            ("openWB/counter/0/get/powers", "[1,2,3]", "<counter/0> P=6 L1(P=1) L2(P=2) L3(P=3)"),
            ("openWB/counter/0/get/powers", "[]", "ignored no_value"),
            ("openWB/counter/0/get/powers", "[1,2,3,4]", "<counter/0> P=6 L1(P=1) L2(P=2) L3(P=3)"),
            (
                "openWB/counter/0/get/currents",
                r#"["x",1]"#,
                "<counter/0> L1() L2(I=1) | left out currents=unreadable",
            ),
            ("openWB/pv/1/get/exported", "9", "<pv/1> out=9000"),
            ("openWB/bat/2/get/soc", "80", "<bat/2> soc=80"),
            ("openWB/bat/get/soc", "80", "<bat> soc=80"),
            ("openWB/counter/0/get/fault_str", "\"none\"", "ignored no_value"),
            ("openWB/set/chargemode", "1", "ignored command"),
            ("openWB/system/version", "2", "ignored other_quantity"),
        ],
    );
}

#[test]
fn victron() {
    assert_made(
        "victron",
        &[
            ("N/c0/grid/30/Ac/Power", r#"{"value":-250}"#, "P=-250"),
            ("N/c0/grid/30/Ac/Power", r#"{"value":null}"#, "ignored no_value"),
            ("N/c0/grid/30/Ac/Power", r#"{"value":[]}"#, "ignored no_value"),
            ("N/c0/grid/30/Ac/Power", "{}", "ignored no_value"),
            ("N/c0/grid/30/Ac/Energy/Forward", r#"{"value":12.5}"#, "in=12500000"),
            ("N/c0/grid/30/Ac/L2/Voltage", r#"{"value":230.1}"#, "L1() L2(U=230.1)"),
            ("N/c0/grid/30/Ac/L4/Voltage", r#"{"value":230.1}"#, "ignored not_the_meter"),
            ("N/c0/grid/30/Ac/L1/Energy/Forward", r#"{"value":5}"#, "ignored partial_register"),
            ("N/c0/pvinverter/20/Ac/Power", r#"{"value":900}"#, "P=-900"),
            ("N/c0/pvinverter/20/Ac/Energy/Forward", r#"{"value":5}"#, "out=5000000"),
            ("N/c0/pvinverter/20/Ac/L1/Power", r#"{"value":300}"#, "L1(P=-300)"),
            ("N/c0/battery/256/Soc", r#"{"value":88.5}"#, "soc=88.5"),
            ("N/c0/battery/256/Dc/0/Voltage", r#"{"value":52}"#, "ignored not_the_meter"),
            ("N/c0/grid/30/DeviceInstance", r#"{"value":30}"#, "ignored other_quantity"),
            ("N/c0/grid/30/Ac/Power", "5", "refused malformed"),
            ("N/c0/grid/30/Ac/Power", r#"{"value":"x"}"#, "refused malformed"),
        ],
    );
}

#[test]
fn warp() {
    assert_made(
        "warp",
        &[
            (
                "warp/x/meter/values",
                r#"{"power":11000.5,"energy_rel":1,"energy_abs":1234.5}"#,
                "P=11000.5 in=1234500000 | left out energy_rel=day_counter",
            ),
            ("warp/x/meter/values", r#"{"power":null,"energy_abs":null}"#, "ignored no_value"),
            ("warp/x/meter/values", "5", "refused malformed"),
            (
                "warp/x/meter/all_values",
                "[230,231,232,1,2,3,100,200,300,0,0]",
                "P=600 L1(P=100 U=230 I=1) L2(P=200 U=231 I=2) L3(P=300 U=232 I=3)",
            ),
            ("warp/x/meter/all_values", "[230,231,232,1,2]", "L1(U=230) L2(U=231) L3(U=232)"),
            ("warp/x/meter/all_values", "[]", "ignored no_value"),
            (
                "warp/x/meter/all_values",
                "[null,null,null,1,2,3,100,null,300]",
                "L1(P=100 I=1) L2(I=2) L3(P=300 I=3)",
            ),
            ("warp/x/meter/state", "2", "ignored status"),
        ],
    );
}
