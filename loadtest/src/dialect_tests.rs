//! What each device says is what its decoder understands, no more and no less.

use std::collections::BTreeSet;

use wattline_formats::FAMILIES;
use wattline_reading::{Limits, Timestamp};
use wattline_routes::{Decoded, Input, Judge, Memory, Routes};

use super::*;
use crate::fleet::samples;
use crate::plan::{Disturbances, Plan};

fn plan() -> Plan {
    Plan {
        seed: 7,
        prefix: "load-1".to_owned(),
        meters: u32::try_from(2 * DIALECTS.len()).unwrap(),
        readings: 30,
        interval_ms: 60_000,
        start: Timestamp::parse_rfc3339("2026-11-20T08:00:00Z").unwrap(),
        three_phase_share: 0.3,
        payload_bytes: 0,
        disturbances: Disturbances::default(),
        mixed: true,
    }
}

#[test]
fn every_dialect_is_understood_as_it_was_meant() {
    let routes = Routes::new(&[], &["all".to_owned()]).unwrap();
    let judge = Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 };
    let plan = plan();
    for meter in 0..plan.meters {
        let dialect = Dialect::of(meter);
        let id = plan.meter_id(meter);
        for sample in samples(&plan, meter) {
            let mut lines = Vec::new();
            dialect.say(&id, &sample, &mut lines);
            assert_eq!(
                lines.len() > 1 && lines.iter().filter(|line| line.made.is_some()).count() > 1,
                dialect.topic_per_value,
                "{}",
                dialect.family
            );
            for Line { topic, payload, made } in lines {
                let received_at = Timestamp::from_micros(sample.ts.micros() + 250_000);
                let input = Input {
                    topic: &topic,
                    payload: &payload,
                    retained: false,
                    redelivered: false,
                    received_at,
                };
                let shown = format!("{topic} {}", String::from_utf8_lossy(&payload));
                assert_eq!(judge.routes.find(&topic).unwrap().family.name, dialect.family, "{shown}");
                match (judge.decide(&input, &mut Memory::default(), |_| {}), made) {
                    (Decoded::Readings(readings), Some(made)) => {
                        assert_eq!(readings.len(), 1, "{shown}");
                        let reading = &readings[0];
                        assert_eq!(reading.meter_id, dialect.meter_id(&id, made.channel), "{shown}");
                        let measures = &reading.measures;
                        assert_eq!(measures.power_w, made.power_w, "{shown}");
                        assert_eq!(measures.energy_import_mwh, made.energy_import_mwh, "{shown}");
                        assert_eq!(measures.energy_export_mwh, made.energy_export_mwh, "{shown}");
                    }
                    (Decoded::Ignore(_), None) => {}
                    (decoded, made) => panic!("{shown}\n{decoded:?}\n{made:?}"),
                }
            }
        }
    }
}

/// Those that are not among the dialects have one meter for all topics, a binary form, or no device.
#[test]
fn nearly_every_family_speaks() {
    let spoken: BTreeSet<&str> = DIALECTS.iter().map(|dialect| dialect.family).collect();
    let silent: Vec<&str> =
        FAMILIES.iter().map(|family| family.name).filter(|name| !spoken.contains(name)).collect();
    let expected = [
        "declarative",
        "deye",
        "discovery",
        "dsmr-api",
        "dsmr-reader",
        "enphase",
        "evcc",
        "openwb",
        "solaredge",
        "sparkplug",
        "vzlogger",
    ];
    assert_eq!(silent, expected);
}
