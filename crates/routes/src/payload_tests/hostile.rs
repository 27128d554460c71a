//! The hostile set, made of every payload of every family: what a decoder must bear, and what it must not be led to.

use wattline_formats::Ignored;
use wattline_reading::{Reading, Reason, TsSource};

use super::{Case, Decoded, Input, Judge, Memory, cases, input, judge, made};

fn decide(judge: &Judge, input: &Input<'_>) -> Decoded {
    judge.decide(input, &mut Memory::default(), |_| {})
}

/// The readings of a case, where it makes some without an earlier message.
fn readings(case: &Case) -> Option<Vec<Reading>> {
    match decide(&judge(case), &input(case)) {
        Decoded::Readings(readings) => Some(readings),
        _ => None,
    }
}

/// All readings that are made of a changed payload are sound and belong to the topic's own meter.
fn assert_sound(case: &Case, payload: &[u8]) -> Option<Vec<Reading>> {
    let judge = judge(case);
    let shown = || format!("{} {} {}", case.file, case.topic, String::from_utf8_lossy(payload));
    let Decoded::Readings(readings) = decide(&judge, &Input { payload, ..input(case) }) else { return None };
    let route = judge.routes.find(&case.topic).unwrap();
    let own = route.meter_id(&case.topic, None, "");
    for reading in &readings {
        let mut again = reading.clone();
        assert!(judge.limits.check(&mut again, |_| panic!("{}", shown())).is_ok(), "{}", shown());
        if !route.trusted {
            let below = reading.meter_id.strip_prefix(&own);
            assert!(below.is_some_and(|below| below.is_empty() || below.starts_with('/')), "{}", shown());
        }
    }
    Some(readings)
}

/// Where the JSON numbers of a payload are; none for another payload.
fn numbers(payload: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    if serde_json::from_slice::<serde_json::Value>(payload).is_err() {
        return found;
    }
    let (mut at, mut quoted) = (0, false);
    while at < payload.len() {
        match payload[at] {
            b'\\' => at += 1,
            b'"' => quoted = !quoted,
            b'-' | b'0'..=b'9' if !quoted => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
                let end = at + payload[at..].iter().take_while(|byte| is_part(byte)).count();
                found.push(at..end);
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn replaced(payload: &[u8], range: &std::ops::Range<usize>, by: &[u8]) -> Vec<u8> {
    [&payload[..range.start], by, &payload[range.end..]].concat()
}

/// A payload with every number as text, as `write` writes it.
fn rewritten(payload: &[u8], write: impl Fn(&str) -> String) -> Vec<u8> {
    let mut text = payload.to_vec();
    for range in numbers(payload).iter().rev() {
        let number = std::str::from_utf8(&payload[range.clone()]).unwrap();
        text = replaced(&text, range, write(number).as_bytes());
    }
    text
}

#[test]
fn every_number_may_be_any_other() {
    let large = format!("\"{}\"", "9".repeat(70_000));
    let others = [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "1e-400",
        "-0",
        "99999999999999999999",
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"nan\"",
        "\"12,5\"",
        "\"1.234,5\"",
        "\"1,234,567\"",
        "\"\\u0000\"",
        &large,
    ];
    for case in cases() {
        for range in numbers(&case.payload) {
            for other in others {
                assert_sound(&case, &replaced(&case.payload, &range, other.as_bytes()));
            }
        }
    }
}

#[test]
fn numbers_may_be_text_with_a_point_or_a_comma() {
    for case in cases() {
        let Some(readings) = readings(&case) else { continue };
        let text = rewritten(&case.payload, |number| format!("\"{number}\""));
        assert_eq!(assert_sound(&case, &text), Some(readings.clone()), "{} {}", case.file, case.topic);
        // With exactly three digits behind it a comma may part thousands, too: that is no number.
        let may_be_thousands = |number: &str| {
            let number = number.trim_start_matches('-');
            number
                .split_once('.')
                .is_some_and(|(whole, part)| part.len() == 3 && whole.len() <= 3 && !whole.starts_with('0'))
        };
        let comma = rewritten(&case.payload, |number| {
            let number = number.to_owned();
            if may_be_thousands(&number) { number } else { format!("\"{}\"", number.replace('.', ",")) }
        });
        assert_eq!(assert_sound(&case, &comma), Some(readings), "{} {}", case.file, case.topic);
    }
}

#[test]
fn of_equal_keys_the_last_counts() {
    for case in cases().iter().filter(|case| case.payload.starts_with(b"{")) {
        let Some(readings) = readings(case) else { continue };
        let whole = String::from_utf8(case.payload.clone()).unwrap();
        // A word for "no value", such as a full register, takes nothing away: it stays one.
        let is_full = |number: &str| ["21474836.47", "-8388608"].contains(&number);
        let first =
            rewritten(
                &case.payload,
                |number| {
                    if is_full(number) { number.to_owned() } else { "7".to_owned() }
                },
            );
        let first = String::from_utf8(first).unwrap();
        // All keys twice: those of the first object are changed, those of the second are as they were.
        let twice = format!("{},{}", first.trim_end().trim_end_matches('}'), &whole[1..]);
        let balanced = first.matches('{').count() == 1;
        if balanced {
            assert_eq!(assert_sound(case, twice.as_bytes()), Some(readings), "{} {twice}", case.file);
        } else {
            assert_sound(case, twice.as_bytes());
        }
    }
}

#[test]
fn a_byte_order_mark_and_a_closing_nul_change_nothing() {
    for case in cases().iter().filter(|case| std::str::from_utf8(&case.payload).is_ok()) {
        if case.file == "sparkplug" {
            continue;
        }
        let Some(readings) = readings(case) else { continue };
        let marked = [b"\xef\xbb\xbf", case.payload.as_slice()].concat();
        assert_eq!(assert_sound(case, &marked), Some(readings.clone()), "{} {}", case.file, case.topic);
        let closed = [case.payload.as_slice(), b"\0"].concat();
        assert_eq!(assert_sound(case, &closed), Some(readings), "{} {}", case.file, case.topic);
    }
}

#[test]
fn what_is_empty_cut_or_no_text_makes_no_readings() {
    for case in cases() {
        for empty in [&b""[..], b" ", b"\0", b"\r\n"] {
            assert_eq!(assert_sound(&case, empty), None, "{} {}", case.file, case.topic);
        }
        if case.file == "sparkplug" {
            continue;
        }
        let broken = [case.payload.as_slice(), b"\xff\xfe"].concat();
        assert_eq!(assert_sound(&case, &broken), None, "{} {}", case.file, case.topic);
        if case.payload.starts_with(b"{") || case.payload.starts_with(b"/") {
            for end in 1..case.payload.len() {
                let cut = case.payload[..end].trim_ascii_end();
                if cut.len() < case.payload.trim_ascii_end().len()
                    && !cut.ends_with(b"!")
                    && !cut.contains(&b'!')
                {
                    assert_eq!(assert_sound(&case, cut), None, "{} {}", case.file, case.topic);
                }
            }
        }
    }
}

#[test]
fn what_is_retained_counts_only_with_the_devices_time() {
    for case in cases() {
        let Some(fresh) = readings(&case) else { continue };
        let decoded = decide(&judge(&case), &Input { retained: true, ..input(&case) });
        let has_times = fresh.iter().all(|reading| reading.ts_source == TsSource::Device);
        match decoded {
            Decoded::Readings(readings) => assert!(has_times && readings == fresh, "{}", case.topic),
            decoded => {
                assert!(!has_times, "{}", case.topic);
                // In a fresh one arrival stands in for a time that is not plausible.
                let is_wrong = |reason| matches!(reason, Reason::TsFuture | Reason::TsTooOld);
                match decoded {
                    Decoded::Reject(refusal) => {
                        assert!(is_wrong(refusal.reason), "{} {refusal:?}", case.topic);
                    }
                    other => {
                        assert_eq!(other, Decoded::Ignore(Ignored::RetainedWithoutTime), "{}", case.topic);
                    }
                }
            }
        }
    }
}

#[test]
fn a_topic_of_64_kib_is_judged() {
    for case in cases() {
        let judge = judge(&case);
        let route = judge.routes.find(&case.topic).unwrap();
        for long in ["x".repeat(65_000), "/".repeat(60_000), "\u{1f600}".repeat(16_000)] {
            let topic = route.filter.replacen('+', &long, 1).replace('+', "0").replace('#', &long);
            let input = Input { topic: &topic, ..input(&case) };
            if let Decoded::Readings(readings) = decide(&judge, &input) {
                assert!(readings.iter().all(|reading| reading.meter_id.len() <= 128), "{}", case.file);
            }
        }
    }
}

#[test]
fn an_id_in_the_payload_never_leaves_the_topics_own_home() {
    let ids = [
        "meter_id",
        "meterId",
        "meter",
        "device_id",
        "deviceId",
        "device",
        "sensor_id",
        "id",
        "serial",
        "src",
        "devEui",
        "name",
        "serial_number",
        "unique_id",
    ];
    let foreign = ["victim", "../victim", "/victim", "home-2/victim"];
    for case in cases().iter().filter(|case| case.payload.starts_with(b"{")) {
        for id in ids {
            for foreign in foreign {
                let field = format!("{{\"{id}\":\"{foreign}\",");
                assert_sound(case, &[field.as_bytes(), &case.payload[1..]].concat());
                let last = case.payload.trim_ascii_end();
                let field = format!(",\"{id}\":\"{foreign}\"}}");
                assert_sound(case, &[&last[..last.len() - 1], field.as_bytes()].concat());
            }
        }
    }
}

#[test]
fn every_unit_of_an_epoch_says_the_same_instant() {
    let mut seen = 0;
    // A declaration may say in which unit, and vzlogger's are in ms always.
    for case in cases().iter().filter(|case| !["declarative", "vzlogger"].contains(&case.file.as_str())) {
        let Some(readings) = readings(case) else { continue };
        for range in numbers(&case.payload) {
            let number = std::str::from_utf8(&case.payload[range.clone()]).unwrap();
            let Ok(value) = number.parse::<u64>() else { continue };
            // Seconds or milliseconds between 2017 and 2033.
            let millis = match value {
                1_500_000_000..2_000_000_000 => value * 1000,
                1_500_000_000_000..2_000_000_000_000 => value,
                _ => continue,
            };
            let said = |text: String| assert_sound(case, &replaced(&case.payload, &range, text.as_bytes()));
            if said((millis + 60_000).to_string()).as_ref() == Some(&readings) {
                // No time of a reading.
                continue;
            }
            for text in [
                format!("{}.{:03}", millis / 1000, millis % 1000),
                millis.to_string(),
                format!("{millis}000"),
                format!("{millis}000000"),
            ] {
                assert_eq!(said(text.clone()), Some(readings.clone()), "{} {text}", case.file);
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} times in epoch numbers");
}

/// The files of cases say what is made; here that nothing of it is another home's.
#[test]
fn what_the_files_say_is_sound_too() {
    let cases = cases();
    assert_eq!(made(&cases).len(), cases.len());
    for case in &cases {
        assert_sound(case, &case.payload);
    }
}
