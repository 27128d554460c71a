//! What holds for every family, whatever it reads.

use proptest::prelude::*;
use wattline_formats::draft::{Outcome, Stop};
use wattline_formats::{Decode, FAMILIES, Family, FamilyOptions};

use crate::shown::{decode, line};

/// A topic that each of a family's default routes takes.
fn topics(family: &Family) -> Vec<String> {
    let filled = |filter: &str| filter.replace('+', "x1").replace('#', "y/z");
    family.routes.iter().map(|(filter, _)| filled(filter)).collect()
}

/// All families with a decoder of their own.
fn families() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().copied().filter(|family| !matches!(family.decode, Decode::AsDeclared))
}

/// Every family that reads text, on every of its topics.
fn everywhere(payload: &[u8], mut look: impl FnMut(&Family, &str, Outcome)) {
    let options = FamilyOptions::default();
    for family in families() {
        for topic in topics(family) {
            look(family, &topic, decode(family.name, &options, &topic, payload));
        }
    }
}

#[test]
fn nobody_makes_readings_of_what_is_empty_or_a_status() {
    for payload in ["", "offline", "online", "true"] {
        everywhere(payload.as_bytes(), |family, topic, outcome| {
            assert!(outcome.is_err(), "{} {topic} {payload}: {}", family.name, line(&outcome));
        });
    }
}

#[test]
fn what_says_nothing_has_one_word_in_every_family() {
    for payload in [
        "null",
        "{}",
        "[]",
        "[{}]",
        "[null]",
        "\"\"",
        "nan",
        "NaN",
        "None",
        "-",
        "unavailable",
        "Unknown",
        "\"unavailable\"",
        "\"nan\"",
        "4294967295",
        "{\"value\":null}",
        "{\"value\":\"nan\"}",
        "{\"value\":\"\"}",
        "{\"value\":[]}",
        "{\"power\":null,\"energy\":\"unknown\"}",
    ] {
        everywhere(payload.as_bytes(), |family, topic, outcome| {
            let said = line(&outcome);
            let by_topic = family.name == "discovery" || topic.ends_with("/online") || topic == "evcc/status";
            let expected = match family.name {
                // Protobuf, and another level than these topics have.
                "sparkplug" => "not this family",
                _ if by_topic => "ignored status",
                _ => "ignored no_value",
            };
            // Of the own one it is said what is wrong.
            let is_own = family.name == "wattline-json";
            assert!(
                said == expected || (is_own && !said.starts_with("ignored")),
                "{} {topic} {payload}: {said}",
                family.name
            );
        });
    }
}

#[test]
fn bytes_that_are_no_text_are_never_a_reading() {
    for payload in [&b"\xff\xfe\xfd"[..], b"{\"power\":\xff}", b"\x80"] {
        everywhere(payload, |family, topic, outcome| {
            assert!(outcome.is_err(), "{} {topic}: {}", family.name, line(&outcome));
        });
    }
}

#[test]
fn weather_and_switches_are_no_meter() {
    for payload in [
        r#"{"temperature":21.5,"humidity":40,"linkquality":120}"#,
        r#"{"state":"ON","brightness":254}"#,
        r#"{"contact":false,"tamper":false}"#,
        r#"{"occupancy":true,"illuminance":12}"#,
    ] {
        everywhere(payload.as_bytes(), |family, topic, outcome| {
            let empty = family.name == "wattline-json";
            assert!(outcome.is_err() || empty, "{} {topic} {payload}: {}", family.name, line(&outcome));
        });
    }
}

#[test]
fn a_stranger_on_a_common_prefix_is_named() {
    for (family, topic, payload) in [
        ("dsmr-reader", "dsmr/house", r#"{"temperature":21.5}"#),
        ("dsmr-reader", "dsmr/house/gas", "12.5"),
        ("ams-reader", "ams/garden", r#"{"moisture":40,"t":20.5}"#),
        ("ahoydtu", "inverter/Huawei/ACTIVE_POWER", "3120"),
        ("ahoydtu", "inverter/sun/state", r#"{"pac":3120}"#),
        ("opendtu", "solar/roof/power", "3120"),
        ("opendtu", "solar/roof/1/volts", "40"),
        ("tasmota", "tele/roof/data", r#"{"power":5}"#),
        ("tasmota", "tele/roof/SENSOR", r#"{"watts":5}"#),
        ("generic-json", "energy/roof", r#"{"grid":{"power":535.8}}"#),
        ("generic-json", "energy/roof/now", r#"{"temperature":21.5}"#),
        ("sma", "sma/pv", r#"{"Power":5}"#),
        ("fronius", "fronius/pv", r#"{"P":5}"#),
        ("huawei", "huawei/pv", r#"{"P":5}"#),
        ("homewizard", "homewizard/p1", r#"{"P":5}"#),
        ("tibber", "tibber/p1", r#"{"price":0.2}"#),
        ("obis-json", "han/p1", r#"{"price":0.2}"#),
        ("p1", "p1/house", r#"{"price":0.2}"#),
        ("teleinfo", "teleinfo/house", r#"{"price":0.2}"#),
        ("iotawatt", "iotawatt/house", r#"{"price":0.2}"#),
        ("enphase", "envoy/house", r#"{"price":0.2}"#),
        ("watts-live", "watts/house/measurement", r#"{"price":0.2}"#),
        ("telegraf", "telegraf/house", r#"{"price":0.2}"#),
        ("shelly", "heater/status/boiler", r#"{"t":50}"#),
        ("shelly", "heater/events/rpc", r#"{"t":50}"#),
        ("chirpstack", "application/1/device/2/event/other", r#"{"a":1}"#),
        ("sparkplug", "spBv1.0/a/OTHER/b", "x"),
    ] {
        let said = line(&decode(family, &FamilyOptions::default(), topic, payload.as_bytes()));
        assert_eq!(said, "not this family", "{family} {topic} {payload}");
    }
}

#[test]
fn what_a_family_says_of_itself_is_no_stranger() {
    for (family, topic, payload, expected) in [
        ("dsmr-reader", "dsmr/json", r#"{"extra_device_delivered":"12.5"}"#, "other_quantity"),
        ("dsmr-reader", "dsmr/raw", "/ISk5", "other_quantity"),
        ("dsmr-reader", "dsmr/meter-stats/dsmr_version", "50", "other_quantity"),
        ("dsmr-reader", "dsmr/day-consumption", r#"{"electricity1":1.2}"#, "not_the_meter"),
        ("ams-reader", "ams/house", r#"{"id":"a","up":5,"vcc":3.3,"rssi":-60}"#, "other_quantity"),
        ("ams-reader", "ams/temperatures", r#"{"temperatures":{"a":1.0},"t":5}"#, "other_quantity"),
        ("ahoydtu", "inverter/roof/available", "2", "status"),
        ("ahoydtu", "inverter/roof/hardware", r#"{"part":1}"#, "status"),
        ("ahoydtu", "inverter/roof/alarm/cnt", "2", "status"),
        ("opendtu", "solar/114181234567/name", "roof", "status"),
        ("opendtu", "solar/114181234567/radio/rssi", "-60", "status"),
        ("opendtu", "solar/dtu/uptime", "60", "status"),
        ("tasmota", "tele/plug/INFO2", r#"{"Info2":{}}"#, "status"),
        ("tasmota", "stat/plug/POWER1", "ON", "status"),
        ("tasmota", "stat/plug/DIMMER", r#"{"Dimmer":5}"#, "status"),
        ("tasmota", "tele/plug/SENSOR", r#"{"Time":"2026-11-20T11:00:00"}"#, "other_quantity"),
        ("generic-json", "energy/roof", r#"{"voltage":null}"#, "no_value"),
        (
            "generic-json",
            "meter/ferraris/main",
            r#"{"value":"317.3988","raw":"00317.3988","rate":"0.1"}"#,
            "other_quantity",
        ),
        ("sma", "sma/pv", r#"{"InvStatus":"Ok"}"#, "other_quantity"),
        ("homewizard", "homewizard/water", r#"{"total_liter_m3":5.2}"#, "other_quantity"),
        ("huawei", "huawei/pv", r#"{"storage_unit_1_status":2}"#, "other_quantity"),
        ("obis-json", "han/p1", r#"{"0-0:96.1.0":"a"}"#, "other_quantity"),
        ("shelly", "plug/status/wifi", r#"{"rssi":-60}"#, "status"),
        ("shelly", "plug/status/input:0", r#"{"id":0,"state":false}"#, "other_quantity"),
        ("shelly", "plug/events/rpc", r#"{"id":1,"src":"a","result":{}}"#, "command"),
        ("the-things-stack", "v3/a@ttn/devices/d/down/sent", "{}", "status"),
        ("sparkplug", "spBv1.0/a/NDEATH/b", "", "status"),
    ] {
        let said = line(&decode(family, &FamilyOptions::default(), topic, payload.as_bytes()));
        assert_eq!(said, format!("ignored {expected}"), "{family} {topic} {payload}");
    }
}

#[test]
fn nothing_is_called_a_status_by_default() {
    everywhere(br#"{"foo":1}"#, |family, topic, outcome| {
        let by_topic = family.name == "discovery" || topic.ends_with("/online") || topic == "evcc/status";
        assert_eq!(
            line(&outcome) == "ignored status",
            by_topic,
            "{} {topic}: {}",
            family.name,
            line(&outcome)
        );
    });
}

#[test]
fn a_bare_word_on_a_status_topic_is_a_status() {
    let said = |family: &str, topic: &str, payload: &str| {
        line(&decode(family, &FamilyOptions::default(), topic, payload.as_bytes()))
    };
    for last in ["status", "availability", "available", "online", "connected", "connection", "alive", "LWT"] {
        for word in ["whatever", "\"Up\"", "not connected", "1", "null"] {
            for (family, prefix) in
                [("generic-json", "energy/roof"), ("mbmd", "mbmd/sdm1"), ("deye", "deye/ac")]
            {
                assert_eq!(
                    said(family, &format!("{prefix}/{last}"), word),
                    "ignored status",
                    "{last} {word}"
                );
            }
        }
    }
    assert_eq!(said("esphome", "plug/sensor/mode/state", "heating"), "ignored status");
    assert_eq!(said("esphome", "plug/sensor/power/state", "nan"), "ignored no_value");
    assert!(said("esphome", "plug/sensor/power/state", "5").contains("P=5"));
    for word in ["online", "Offline", "up", "down"] {
        assert_eq!(said("generic-json", "energy/roof", word), "ignored status", "{word}");
    }
    for word in ["offline", "down"] {
        assert_eq!(said("mbmd", "mbmd/sdm1/Power", word), "ignored status", "{word}");
    }
    assert_eq!(said("mbmd", "mbmd/sdm1/Power", "null"), "ignored no_value");
    assert_eq!(said("mbmd", "mbmd/sdm1/Power", "much"), "refused malformed");
}

#[test]
fn a_refusal_says_what_is_wrong() {
    everywhere(b"{\"power\":", |family, topic, outcome| {
        if let Err(Stop::Reject(refusal)) = outcome {
            assert!(!refusal.detail.is_empty() && refusal.detail.len() < 300, "{} {topic}", family.name);
        }
    });
}

#[test]
fn families_are_told_apart_by_name_and_have_what_the_documents_need() {
    let names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted, "unique and by the alphabet");
    for family in FAMILIES {
        let texts = [family.title, family.reads, family.units, family.sign, family.time];
        assert!(texts.iter().all(|text| !text.is_empty()), "{} says nothing of something", family.name);
        assert!(!family.documents.is_empty(), "{}", family.name);
        assert_eq!(Family::named(family.name), Some(*family));
    }
    assert_eq!(Family::named("Shelly"), None, "the name is the configuration's");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any JSON object of plausible fields: no panic, and a phase is never beyond the third.
    #[test]
    fn any_object_of_known_words_is_judged(
        fields in prop::collection::vec((
            prop::sample::select(vec![
                "power", "energy", "P", "voltage_l2", "ENERGY", "Total", "values", "data", "phases", "meters",
                "apower", "value", "unit", "1-0:1.8.1", "ts", "time", "TIC", "inputs", "object", "fields", "nrg",
            ]),
            prop::sample::select(vec![
                "1", "-1.5", "null", "[]", "{}", "[1,2]", "[1,null,3,4]", "{\"a\":1}", "\"12,5\"", "\"kWh\"", "true",
                "1e309", "[{\"power\":1}]", "{\"Total\":[1,null]}", "\"\\u00e4\"",
            ]),
        ), 0..6),
    ) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let payload = format!("{{{}}}", fields.join(","));
        everywhere(payload.as_bytes(), |family, topic, outcome| {
            if let Ok(drafts) = outcome {
                for draft in drafts.drafts {
                    assert!(draft.measures.phases.len() <= 3, "{} {topic} {payload}", family.name);
                }
            }
        });
    }
}
