//! Wattline's own JSON: read in one pass, without a tree; its writer is told what is wrong.

use proptest::prelude::*;
use wattline_formats::FamilyOptions;
use wattline_formats::draft::Stop;
use wattline_reading::Reason;

use crate::shown::{assert_made, assert_made_with, decode};

const TOPIC: &str = "wattline/m/reading";

#[test]
fn one_object_or_several() {
    assert_made(
        "wattline-json",
        &[
            (TOPIC, r#"{"ts":"2026-11-20T10:00:00Z","power_w":5}"#, "P=5 @2026-11-20T10:00:00Z"),
            (TOPIC, r#"{"ts":1795168800.5,"power_w":5}"#, "P=5 @2026-11-20T10:00:00.500Z"),
            (TOPIC, r#"{"power_w":"5,5","energy_import_wh":"1234.5675"}"#, "P=5.5 in=1234568"),
            (TOPIC, r#"{"power_w":null,"soc_pct":50}"#, "soc=50"),
            (TOPIC, r#"{"power_w":5,"unknown":{"deep":[1,{"x":2}]}}"#, "P=5"),
            (TOPIC, r#"{"power_w":5,"power_w":6}"#, "P=6"),
            (TOPIC, r#"{"phases":[{"power_w":1},{"voltage_v":230,"x":[]}]}"#, "L1(P=1) L2(U=230)"),
            (TOPIC, r#"{"phases":null,"power_w":1}"#, "P=1"),
            (TOPIC, r#"[{"power_w":1},{"power_w":2}]"#, "P=1; P=2"),
            (TOPIC, r#"{"meter_id":"other","power_w":1}"#, "P=1"),
            (TOPIC, r#"{"ts":0,"power_w":1}"#, "P=1 @unset"),
            (TOPIC, r#"{"ts":null,"power_w":1}"#, "P=1"),
        ],
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (payload, reason, detail) in [
        ("[]", Reason::NoMeasure, "the array is empty"),
        ("5", Reason::Malformed, "an object is expected"),
        (r#"{"power_w":true}"#, Reason::Malformed, "power_w is no number"),
        (r#"{"power_w":"5 W"}"#, Reason::Malformed, "power_w: `5 W` is no number"),
        (r#"{"energy_import_wh":[]}"#, Reason::Malformed, "energy_import_wh is no number"),
        (r#"{"energy_import_wh":"x"}"#, Reason::Malformed, "`x` is no register in Wh"),
        (r#"{"energy_import_wh":1e300}"#, Reason::RegisterImplausible, "is no register in Wh"),
        (r#"{"phases":{}}"#, Reason::Malformed, "phases is no array"),
        (r#"{"phases":[{},{},{},{}]}"#, Reason::Malformed, "more than 3 phases"),
        (r#"{"phases":[1]}"#, Reason::Malformed, "an object is expected"),
        (r#"[{"power_w":1},{"power_w":"x"}]"#, Reason::Malformed, "reading 1: power_w"),
        (r#"{"power_w":1} {"power_w":2}"#, Reason::Malformed, "something follows the value"),
        (r#"{"power_w":1"#, Reason::Malformed, "at byte"),
    ] {
        match decode("wattline-json", &FamilyOptions::default(), TOPIC, payload.as_bytes()) {
            Err(Stop::Reject(refusal)) => {
                assert_eq!(refusal.reason, reason, "{payload}");
                assert!(refusal.detail.contains(detail), "{payload}: {}", refusal.detail);
            }
            other => panic!("{payload}: {other:?}"),
        }
    }
}

#[test]
fn a_time_without_zone_counts_where_the_route_knows_it() {
    let local = r#"{"ts":"2026-11-20T11:00:00","power_w":1}"#;
    assert_made(
        "wattline-json",
        &[(TOPIC, local, "P=1 @unreadable"), (TOPIC, r#"{"ts":[],"power_w":1}"#, "P=1 @unreadable")],
    );
    let zoned = FamilyOptions { has_zone: true, ..FamilyOptions::default() };
    assert_made_with("wattline-json", &zoned, &[(TOPIC, local, "P=1 @local 2026-11-20 11:00:00")]);
}

#[test]
fn readings_beyond_the_most_are_counted() {
    let many = format!("[{}]", vec![r#"{"power_w":1}"#; 1007].join(","));
    let drafts = decode("wattline-json", &FamilyOptions::default(), TOPIC, many.as_bytes()).unwrap();
    assert_eq!((drafts.drafts.len(), drafts.beyond, drafts.count()), (1000, 7, 1007));
}

proptest! {
    /// What is written is read, whatever the order, the spaces and the way a number is written.
    #[test]
    fn what_is_written_is_read(
        power in -1e5_f64..1e5,
        mwh in 0_i64..1_000_000_000_000_000,
        voltage in 0.0_f64..500.0,
        as_text in any::<bool>(),
        space in "[ \\t\\r\\n]{0,3}",
        order in any::<bool>(),
    ) {
        let quote = if as_text { "\"" } else { "" };
        let register = format!("{}.{:03}", mwh / 1000, mwh % 1000);
        let mut fields = [
            format!("\"power_w\":{space}{quote}{power}{quote}"),
            format!("\"energy_import_wh\"{space}:{quote}{register}{quote}"),
            format!("{space}\"voltage_v\":{quote}{voltage}{quote}{space}"),
        ];
        if order {
            fields.reverse();
        }
        let payload = format!("{{{}}}", fields.join(","));
        let drafts = decode("wattline-json", &FamilyOptions::default(), TOPIC, payload.as_bytes()).unwrap();
        let measures = &drafts.drafts[0].measures;
        prop_assert_eq!(measures.power_w, Some(power));
        prop_assert_eq!(measures.energy_import_mwh, Some(mwh));
        prop_assert_eq!(measures.voltage_v, Some(voltage));
    }

    /// One pass and a tree agree on what is an error.
    #[test]
    fn what_a_library_refuses_is_refused(payload in "[\\[\\]{}:,\"a-w_0-9.\\- ]{0,40}") {
        let ours = decode("wattline-json", &FamilyOptions::default(), TOPIC, payload.as_bytes());
        if ours.is_ok() {
            let theirs = wattline_formats::json::Json::parse(payload.as_bytes());
            prop_assert!(theirs.is_ok(), "{}", payload);
        }
    }
}
