//! The documented payloads, the ones devices really send, and any bytes at all.

use proptest::prelude::*;
use wattline_formats::{Family, Ignored};
use wattline_reading::{Limits, Measures, MeterInfo, Phase, Reading, Reason, Timestamp, TsSource};

use crate::{Decoded, Input, Judge, Memory, RouteSettings, Routes, Sign, TimePolicy};

const NOW: Timestamp = Timestamp::from_micros(1_795_168_830_000_000);
const DOCUMENTED: &str = r#"{"ts":"2026-11-20T10:00:00Z","power_w":432.1,"energy_import_wh":1234567.0,
  "energy_export_wh":0.0,"voltage_v":230.4,"current_a":1.9,"power_factor":0.98,"frequency_hz":50.0,
  "soc_pct":81.5,"phases":[{"power_w":100.5,"voltage_v":229,"current_a":0.5},{},{"power_w":-1}]}"#;

fn judge() -> Judge {
    judge_with(&RouteSettings::new("wattline/+/reading", Family::WATTLINE_JSON))
}

fn judge_with(route: &RouteSettings) -> Judge {
    let routes = Routes::new(std::slice::from_ref(route), &[]).unwrap();
    Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 }
}

fn decide_as(payload: &[u8], retained: bool) -> Decoded {
    let input =
        Input { topic: "wattline/m1/reading", payload, retained, redelivered: false, received_at: NOW };
    judge().decide(&input, &mut Memory::default(), |_| {})
}

fn readings(payload: &str) -> Vec<Reading> {
    match decide_as(payload.as_bytes(), false) {
        Decoded::Readings(readings) => readings,
        other => panic!("{payload}: {other:?}"),
    }
}

fn reading(payload: &str) -> Reading {
    let mut readings = readings(payload);
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

fn reason(payload: &str) -> (Reason, String) {
    match decide_as(payload.as_bytes(), false) {
        Decoded::Reject(refusal) => (refusal.reason, refusal.detail),
        other => panic!("{payload}: {other:?}"),
    }
}

#[test]
fn the_documented_payload_is_read_whole() {
    let phase = |power_w, voltage_v, current_a| Phase { power_w, voltage_v, current_a };
    assert_eq!(
        reading(DOCUMENTED),
        Reading {
            received_at: NOW,
            meter_info: Some(Box::new(MeterInfo {
                route: "wattline/+/reading".to_owned(),
                family: "wattline-json".to_owned(),
                max_power_w: None,
            })),
            ..Reading::new(
                "m1",
                Timestamp::from_micros(1_795_168_800_000_000),
                Measures {
                    power_w: Some(432.1),
                    energy_import_mwh: Some(1_234_567_000),
                    energy_export_mwh: Some(0),
                    voltage_v: Some(230.4),
                    current_a: Some(1.9),
                    power_factor: Some(0.98),
                    frequency_hz: Some(50.0),
                    soc_pct: Some(81.5),
                    phases: vec![
                        phase(Some(100.5), Some(229.0), Some(0.5)),
                        phase(None, None, None),
                        phase(Some(-1.0), None, None),
                    ],
                }
            )
        }
    );
}

#[test]
fn time_comes_in_every_form() {
    for ts in [
        r#""2026-11-20T10:00:00Z""#,
        r#""2026-11-20T11:00:00.000+01:00""#,
        r#""2026-11-20 10:00:00Z""#,
        "1795168800",
        "1795168800000",
        "1795168800000000",
        "1795168800000000000",
        r#""1795168800""#,
        "1795168800.0",
        "1.7951688e9",
    ] {
        let reading = reading(&format!(r#"{{"ts":{ts},"power_w":1}}"#));
        assert_eq!(reading.ts.to_string(), "2026-11-20T10:00:00Z", "{ts}");
        assert_eq!(reading.ts_source, TsSource::Device, "{ts}");
    }
}

#[test]
fn a_device_without_a_clock_is_stamped_on_arrival() {
    for payload in [
        r#"{"power_w":1}"#,
        r#"{"ts":null,"power_w":1}"#,
        r#"{"ts":0,"power_w":1}"#,
        r#"{"ts":"1970-01-01T00:03:12Z","power_w":1}"#,
        r#"{"ts":"","power_w":1}"#,
        r#"{"ts":-5,"power_w":1}"#,
    ] {
        let reading = reading(payload);
        assert_eq!((reading.ts, reading.ts_source), (NOW, TsSource::Arrival), "{payload}");
    }
}

#[test]
fn numbers_may_be_text_and_missing_values_words() {
    let reading = reading(
        r#"{"power_w":" -12.5 ","energy_import_wh":"1234.0005","voltage_v":"nan","current_a":"None",
            "frequency_hz":null,"power_factor":"","extra":{"deep":[1,2,{"x":null}]},"phases":null}"#,
    );
    assert_eq!(
        reading.measures,
        Measures { power_w: Some(-12.5), energy_import_mwh: Some(1_234_001), ..Measures::default() }
    );
}

#[test]
fn of_equal_keys_the_last_counts_and_a_comma_is_a_point() {
    assert_eq!(reading(r#"{"power_w":1,"power_w":2}"#).measures.power_w, Some(2.0));
    let payload = "\u{feff}{\"power_w\":\"12,5\",\"energy_import_wh\":\"1,5\"}\0";
    let measures = reading(payload).measures;
    assert_eq!((measures.power_w, measures.energy_import_mwh), (Some(12.5), Some(1500)));
}

#[test]
fn a_register_keeps_every_digit() {
    for (text, expected) in
        [("0.1", 100), ("123456789.123", 123_456_789_123), ("1e3", 1_000_000), ("7", 7000)]
    {
        let reading = reading(&format!(r#"{{"energy_import_wh":{text}}}"#));
        assert_eq!(reading.measures.energy_import_mwh, Some(expected), "{text}");
    }
}

#[test]
fn an_array_is_taken_in_its_order() {
    let payload = r#"[{"ts":1795168800,"power_w":1},{"ts":1795168810,"power_w":2}]"#;
    let watts: Vec<_> = readings(payload).iter().map(|reading| reading.measures.power_w).collect();
    assert_eq!(watts, [Some(1.0), Some(2.0)]);
}

#[test]
fn a_message_is_taken_whole_or_refused_whole() {
    let (reason, detail) = reason(r#"[{"power_w":1},{"power_w":1e9}]"#);
    assert_eq!(reason, Reason::PowerImplausible);
    assert!(detail.starts_with("reading 1: "), "{detail}");
}

#[test]
fn at_most_a_thousand_readings() {
    let array = |count: usize| format!("[{}]", vec![r#"{"power_w":1}"#; count].join(","));
    assert_eq!(readings(&array(1000)).len(), 1000);
    let (reason, detail) = reason(&array(1003));
    assert_eq!(reason, Reason::TooManyReadings);
    assert!(detail.starts_with("1003 readings"), "{detail}");
}

#[test]
fn each_refusal_has_its_reason() {
    for (payload, expected) in [
        ("garbage", Reason::Malformed),
        ("{", Reason::Malformed),
        ("null", Reason::Malformed),
        ("[{}", Reason::Malformed),
        ("7", Reason::Malformed),
        ("[7]", Reason::Malformed),
        (r#"{"power_w":1} trailing"#, Reason::Malformed),
        (r#"{"power_w":true}"#, Reason::Malformed),
        (r#"{"power_w":"12 W"}"#, Reason::Malformed),
        (r#"{"power_w":NaN}"#, Reason::NoMeasure),
        (r#"{"power_w":1e999}"#, Reason::PowerImplausible),
        (r#"{"power_w":Infinity}"#, Reason::PowerImplausible),
        (r#"{"energy_import_wh":{}}"#, Reason::Malformed),
        (r#"{"energy_import_wh":"12 kWh"}"#, Reason::Malformed),
        (r#"{"power_w":1,"phases":[{},{},{},{}]}"#, Reason::Malformed),
        ("{}", Reason::NoMeasure),
        ("[]", Reason::NoMeasure),
        (r#"{"ts":1795168800}"#, Reason::NoMeasure),
        (r#"{"phases":[{},{}]}"#, Reason::NoMeasure),
        (r#"{"power_w":"inf"}"#, Reason::PowerImplausible),
        (r#"{"power_w":-1e6}"#, Reason::PowerImplausible),
        (r#"{"energy_import_wh":-1}"#, Reason::RegisterImplausible),
        (r#"{"energy_import_wh":1e300}"#, Reason::RegisterImplausible),
        (r#"{"energy_import_wh":"inf"}"#, Reason::RegisterImplausible),
        (r#"{"ts":"yesterday","power_w":1}"#, Reason::TsUnreadable),
        (r#"{"ts":"2026-11-20T10:00:00","power_w":1}"#, Reason::TsUnreadable),
        (r#"{"ts":true,"power_w":1}"#, Reason::TsUnreadable),
        (r#"{"ts":{"s":1},"power_w":1}"#, Reason::TsUnreadable),
        // Arrival would say nothing of several instants.
        (r#"[{"ts":"2026-11-20T10:20:00Z","power_w":1},{"power_w":1}]"#, Reason::TsFuture),
        (r#"[{"ts":1e30,"power_w":1},{"power_w":1}]"#, Reason::TsFuture),
        (r#"[{"ts":"2020-01-01T00:00:00Z","power_w":1},{"power_w":1}]"#, Reason::TsTooOld),
        (r#"[{"ts":1795168800,"power_w":1},{"ts":1795168800,"power_w":2}]"#, Reason::Malformed),
    ] {
        let (reason, detail) = reason(payload);
        assert_eq!(reason, expected, "{payload}: {detail}");
        assert!(!detail.is_empty(), "{payload}");
    }
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    let payload = format!(r#"{{"power_w":1,"x":{}"#, "[".repeat(60_000));
    assert_eq!(reason(&payload).0, Reason::Malformed);
}

#[test]
fn what_is_retained_counts_only_with_the_devices_time() {
    let retained = |payload: &str| decide_as(payload.as_bytes(), true);
    let ignored = Decoded::Ignore(Ignored::RetainedWithoutTime);
    assert_eq!(retained(r#"{"power_w":1}"#), ignored);
    assert_eq!(retained(r#"{"ts":0,"power_w":1}"#), ignored);
    assert!(matches!(retained(r#"{"ts":1795168800,"power_w":1}"#), Decoded::Readings(_)));
    assert!(matches!(retained("garbage"), Decoded::Reject(_)));
    assert_eq!(retained(""), Decoded::Ignore(Ignored::Empty));
}

#[test]
fn a_secondary_measure_beyond_its_bounds_is_left_out_and_told() {
    let input = Input {
        topic: "wattline/m1/reading",
        payload: br#"{"power_w":1,"frequency_hz":198,"phases":[{"voltage_v":-1,"power_w":1}]}"#,
        retained: false,
        redelivered: true,
        received_at: NOW,
    };
    let mut left_out = Vec::new();
    let Decoded::Readings(readings) =
        judge().decide(&input, &mut Memory::default(), |which| left_out.push(which.field.to_string()))
    else {
        panic!("refused");
    };
    assert_eq!(left_out, ["frequency_hz", "voltage_v"]);
    assert!(readings[0].redelivered);
}

#[test]
fn a_topic_without_a_route_and_a_large_payload_are_refused() {
    let mut input =
        Input { topic: "elsewhere", payload: b"{}", retained: false, redelivered: false, received_at: NOW };
    let reason = |input: &Input<'_>| match judge().decide(input, &mut Memory::default(), |_| {}) {
        Decoded::Reject(refusal) => refusal.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&input), Reason::NoRoute);
    input.topic = "wattline//reading";
    input.payload = br#"{"power_w":1}"#;
    assert_eq!(reason(&input), Reason::MeterIdInvalid);
    let large = vec![b' '; 65_537];
    input.payload = &large;
    assert_eq!(reason(&input), Reason::PayloadTooLarge);
}

#[test]
fn the_routes_time_sign_and_multiplier_hold_here_too() {
    let mut route = RouteSettings::new("wattline/+/reading", Family::WATTLINE_JSON);
    route.time = TimePolicy::DeviceIfPlausible;
    route.time_zone = "Europe/Berlin".to_owned();
    route.multiplier = Some(2.0);
    route.sign = Sign::Reversed;
    let judge = judge_with(&route);
    let decide = |payload: &str| {
        let topic = "wattline/m1/reading";
        let payload = payload.as_bytes();
        let input = Input { topic, payload, retained: false, redelivered: false, received_at: NOW };
        match judge.decide(&input, &mut Memory::default(), |_| {}) {
            Decoded::Readings(mut readings) => readings.remove(0),
            other => panic!("{other:?}"),
        }
    };
    let reading = decide(r#"{"ts":"2026-11-20T11:00:00","power_w":5,"energy_import_wh":7}"#);
    assert_eq!(reading.ts.to_string(), "2026-11-20T10:00:00Z");
    assert_eq!(reading.measures.power_w, Some(-10.0));
    assert_eq!(reading.measures.energy_export_mwh, Some(14_000));
    for ts in ["null", "1", "\"2030-01-01T00:00:00Z\""] {
        assert_eq!(decide(&format!(r#"{{"ts":{ts},"power_w":5}}"#)).ts_source, TsSource::Arrival, "{ts}");
    }
}

fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "\"[-+.eE0-9TZ: a-n]{0,24}\"",
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][-+]?[0-9]{1,11})?",
    ];
    scalar.prop_recursive(4, 64, 6, |inner| {
        let key = prop::sample::select(vec![
            "ts",
            "power_w",
            "energy_import_wh",
            "energy_export_wh",
            "voltage_v",
            "current_a",
            "power_factor",
            "frequency_hz",
            "phases",
            "other",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key, inner), 0..6).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_a_panic(payload in prop::collection::vec(any::<u8>(), 0..200), retained: bool) {
        let _ = decide_as(&payload, retained);
    }

    #[test]
    fn any_json_is_judged_without_a_panic(payload in json(), retained: bool) {
        if let Decoded::Readings(readings) = decide_as(payload.as_bytes(), retained) {
            prop_assert!(!readings.is_empty());
            for mut reading in readings {
                prop_assert!(!reading.measures.is_empty());
                prop_assert!(Limits::default().check(&mut reading, |_| {}).is_ok(), "checked twice, the same");
            }
        }
    }

    #[test]
    fn a_cut_payload_is_never_taken(at in 0..DOCUMENTED.len()) {
        let cut = decide_as(&DOCUMENTED.as_bytes()[..at], false);
        prop_assert!(!matches!(cut, Decoded::Readings(_)));
    }
}
