//! What is ignored says which of its numbers are no meter's, and why.

use wattline_formats::Ignored;

use super::{Case, Decoded, Input, Memory, cases, input, judge};

/// What was left out of a payload on a case's topic, and what became of it.
fn decide(case: &Case, payload: &[u8]) -> (Decoded, Vec<String>) {
    let mut left_out = Vec::new();
    let decoded = judge(case).decide(&Input { payload, ..input(case) }, &mut Memory::default(), |omission| {
        left_out.push(format!("{}={}", omission.field, omission.reason.as_str()));
    });
    (decoded, left_out)
}

/// Words that a measure's name has, in any family.
fn is_called_like_a_measure(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["power", "energy", "voltage", "current", "watt", "yield", "kwh"].iter().any(|word| name.contains(word))
}

#[test]
fn every_number_of_an_ignored_message_that_is_a_measures_is_named() {
    let mut named = 0;
    for case in cases() {
        let (decoded, left_out) = decide(&case, &case.payload);
        let Decoded::Ignore(why) = decoded else { continue };
        let must_say = match why {
            Ignored::NotTheMeter
            | Ignored::PartialRegister
            | Ignored::UnitUnknown
            | Ignored::OneDirection => true,
            Ignored::OtherQuantity => {
                let is_number =
                    std::str::from_utf8(&case.payload).is_ok_and(|text| text.trim().parse::<f64>().is_ok());
                is_number && case.topic.rsplit('/').next().is_some_and(is_called_like_a_measure)
            }
            _ => false,
        };
        assert!(!must_say || !left_out.is_empty(), "{} {}: {why:?} says nothing", case.file, case.topic);
        named += usize::from(!left_out.is_empty());
    }
    assert!(named >= 50, "{named} ignored messages name a field");
}

#[test]
fn a_field_is_left_out_by_its_name_also_where_the_topic_says_it_all() {
    let cases = cases();
    for (topic, payload, expected) in [
        ("inverter/total/P_AC", "300", "P_AC=aggregate"),
        ("inverter/balcony/ch1", r#"{"P_DC":150}"#, "ch1=dc_side"),
        ("deye/day_energy", "3.2", "day_energy=day_counter"),
        ("deye/dc/pv1/power", "150", "dc/pv1/power=dc_side"),
        ("deye/ac/total_power", "150", "ac/total_power=ambiguous"),
        ("deye/battery/power", "150", "power=unknown_name"),
        ("dsmr/day-consumption/electricity1", "3.2", "electricity1=day_counter"),
        ("evcc/site/homePower", "450", "homePower=aggregate"),
        ("evcc/loadpoints/1/chargedEnergy", "450", "chargedEnergy=day_counter"),
        ("evcc/site/battery/1/power", "450", "power=unknown_name"),
        ("go-eCharger/072246/wh", "450", "wh=day_counter"),
        ("solar/ac/power", "450", "power=aggregate"),
        ("solar/dc/power", "450", "power=dc_side"),
        ("solar/116180400144/1/power", "450", "power=dc_side"),
        ("vzlogger/data/chn1/agg", "450", "agg=aggregate"),
        ("N/c0619ab4a585/battery/512/Dc/0/Power", r#"{"value":450}"#, "Dc/0/Power=dc_side"),
        ("N/c0619ab4a585/grid/30/Ac/L1/ApparentPower", r#"{"value":450}"#, "ApparentPower=apparent_power"),
        ("emon/emonpi/vrms", "240.1", "vrms=no_meter"),
        ("zigbee2mqtt/z1/energy", "12.5", "energy=ambiguous"),
        ("zigbee2mqtt/door", r#"{"battery":97,"voltage":3000}"#, "voltage_v=no_meter"),
        (
            "homewizard/p1",
            r#"{"wifi_strength":97,"average_power_15m_w":120}"#,
            "average_power_15m_w=unknown_name",
        ),
        ("openWB/bat/get/power", "450", "power=unknown_name"),
        ("mbmd/sdm1-1/THD", "1.5", ""),
        ("plug/sensor/wifi_signal/state", "-63", ""),
    ] {
        let any = cases.iter().find(|case| case.route.is_none()).unwrap();
        let case = Case {
            topic: topic.to_owned(),
            lines: Vec::new(),
            file: String::new(),
            source: String::new(),
            route: None,
            payload: Vec::new(),
            ..*any
        };
        let (decoded, left_out) = decide(&case, payload.as_bytes());
        let word = if expected.is_empty() { Ignored::OtherQuantity } else { Ignored::NotTheMeter };
        assert_eq!((decoded, left_out.join(" ").as_str()), (Decoded::Ignore(word), expected), "{topic}");
    }
}

#[test]
fn a_message_names_no_more_fields_than_a_person_reads() {
    let fields: Vec<_> = (0..100).map(|number| format!("\"power_x{number}\":1")).collect();
    let payload = format!("{{\"wifi_ssid\":\"a\",{}}}", fields.join(","));
    let any = cases();
    let case = any.iter().find(|case| case.topic == "homewizard/p1").unwrap();
    assert_eq!(decide(case, payload.as_bytes()).1.len(), 16);
}
