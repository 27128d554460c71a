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
fn nobody_makes_readings_of_what_has_no_value() {
    for payload in
        ["", "null", "{}", "[]", "\"\"", "nan", "offline", "online", "true", "[{}]", "{\"value\":null}"]
    {
        everywhere(payload.as_bytes(), |family, topic, outcome| {
            let said = line(&outcome);
            let own_json_says_so = family.name == "wattline-json" && said.is_empty();
            assert!(outcome.is_err() || own_json_says_so, "{} {topic} {payload}: {said}", family.name);
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
