use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// A Saturday in summer, so that a week's simulation is behind it.
const NOW_MS: i64 = 1_784_462_400_000;

fn options(history_ms: i64) -> StreetOptions {
    StreetOptions { homes: 3, interval_ms: 2000, history_ms, seed: 5 }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_micros(ms * 1000)
}

fn readings(messages: Vec<Message>) -> BTreeMap<(Arc<str>, i64), Value> {
    let objects = messages.into_iter().flat_map(|message| {
        assert!(message.payload.len() < 64 * 1024);
        let objects = match serde_json::from_slice(&message.payload).unwrap() {
            Value::Array(objects) => objects,
            object => vec![object],
        };
        assert!(objects.len() <= wattline_reading::READINGS_PER_MESSAGE_MAX);
        objects
            .into_iter()
            .map(move |object| ((Arc::clone(&message.topic), object["ts"].as_i64().unwrap()), object))
    });
    objects.collect()
}

#[test]
fn a_street_that_starts_again_says_the_same() {
    let mut first = Street::new(options(6 * 3_600_000), at(NOW_MS));
    let mut said = readings(first.history(at(NOW_MS)));
    // Five hours and 44 minutes by the minute, then 16 minutes at 2 s.
    assert_eq!(said.len(), 3 * (344 + 480));
    said.extend(readings(first.advance(at(NOW_MS + 60_000))));
    assert_eq!(said.len(), 3 * (344 + 480 + 30));

    let mut second = Street::new(options(3_600_000), at(NOW_MS + 30_000));
    let mut again = readings(second.history(at(NOW_MS + 30_000)));
    again.extend(readings(second.advance(at(NOW_MS + 60_000))));
    assert!(again.len() > 100);
    for (key, reading) in again {
        assert_eq!(said.get(&key), Some(&reading), "{key:?}");
    }
}

#[test]
fn registers_never_go_back_from_one_week_to_the_next() {
    for season_ms in [NOW_MS, NOW_MS + 26 * WEEK_MS] {
        let monday = season_ms.div_euclid(WEEK_MS) * WEEK_MS;
        let coarse = StreetOptions { homes: 40, interval_ms: 30_000, ..options(0) };
        let mut before = Street::new(coarse.clone(), at(monday - 1));
        let mut after = Street::new(coarse, at(monday));
        let mut ends = Vec::new();
        before.step(|_, sample| ends.push(sample));
        let mut begins = Vec::new();
        after.step(|_, sample| begins.push(sample));
        for (end, begin) in ends.iter().zip(&begins) {
            assert!(begin.energy_import_mwh >= end.energy_import_mwh, "{end:?} {begin:?}");
            assert!(begin.energy_export_mwh >= end.energy_export_mwh, "{end:?} {begin:?}");
        }
    }
}

#[test]
fn a_machine_that_slept_sends_the_last_hour_only() {
    let mut street = Street::new(options(0), at(NOW_MS));
    let messages = street.advance(at(NOW_MS + 5 * 3_600_000));
    assert_eq!(messages.len(), 3 * 1800);
}
