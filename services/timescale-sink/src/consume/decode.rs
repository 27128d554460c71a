//! Kafka record → what it says. No I/O; what can't be decoded is a value, never an error that stops the stream.

use wattline_reading::limits::Reason;
use wattline_reading::{MEASURES, METER_ID_BYTES_MAX, PHASE_MEASURES, Reading, wire};

use crate::batch::{Content, Refused};
use wattline_stream::Stream;

/// Decodes one record.
#[must_use]
pub(crate) fn decode(stream: Stream, key: Option<&[u8]>, value: &[u8]) -> Content {
    match stream {
        Stream::Readings => match wire::decode_reading(key, value) {
            Ok(reading) => match storable(&reading) {
                Ok(()) => Content::Reading(reading),
                Err((reason, detail)) => refuse(reason, detail, key),
            },
            Err(error) => refuse(Reason::RecordUndecodable, error.to_string(), key),
        },
        Stream::DeadLetters => match wire::decode_dead_letter(value) {
            Ok(letter) => Content::Letter(letter),
            Err(error) => refuse(Reason::RecordUndecodable, error.to_string(), key),
        },
    }
}

/// What the table can hold. mqtt-ingest has checked what is plausible; this is for what others may write into the
/// topic.
fn storable(reading: &Reading) -> Result<(), (Reason, String)> {
    let id = &reading.meter_id;
    if id.is_empty() || id.len() > METER_ID_BYTES_MAX {
        let detail = format!("the meter id has {} bytes, must be 1 to {METER_ID_BYTES_MAX}", id.len());
        return Err((Reason::MeterIdInvalid, detail));
    }
    if id.chars().any(char::is_control) {
        return Err((Reason::MeterIdInvalid, "the meter id has a control character".to_owned()));
    }
    let measures = &reading.measures;
    if measures.phases.len() > 3 {
        let detail = format!("{} phases, at most 3", measures.phases.len());
        return Err((Reason::Malformed, detail));
    }
    let single = MEASURES.iter().filter_map(|measure| Some((measure.column, (measure.get)(measures)?)));
    let of_phases = measures.phases.iter().flat_map(|phase| {
        PHASE_MEASURES.iter().filter_map(move |measure| Some((measure.column, (measure.get)(phase)?)))
    });
    for (column, value) in single.chain(of_phases) {
        if !value.is_finite() {
            return Err((Reason::Malformed, format!("{column} is {value}")));
        }
    }
    if measures.is_empty() {
        return Err((Reason::NoMeasure, "there is no measure in it".to_owned()));
    }
    Ok(())
}

fn refuse(reason: Reason, detail: String, key: Option<&[u8]>) -> Content {
    Content::Refused(Refused { reason, detail, key: key.unwrap_or_default().to_vec() })
}

#[cfg(test)]
mod tests {
    use wattline_reading::{DeadLetter, Measures, Phase, Timestamp};

    use super::*;

    fn reading() -> Reading {
        Reading {
            received_at: Timestamp::from_micros(1_795_168_800_000_001),
            ..Reading::new(
                "m-1",
                Timestamp::from_micros(1_795_168_800_000_000),
                Measures { power_w: Some(1.0), ..Measures::default() },
            )
        }
    }

    fn decoded(reading: &Reading) -> Content {
        let mut value = Vec::new();
        wire::encode_reading(reading, &mut value);
        decode(Stream::Readings, Some(reading.meter_id.as_bytes()), &value)
    }

    fn reason(content: Content) -> Option<Reason> {
        match content {
            Content::Refused(refused) => Some(refused.reason),
            Content::Reading(_) | Content::Letter(_) => None,
        }
    }

    #[test]
    fn a_reading_and_a_letter_are_what_they_were() {
        assert!(matches!(decoded(&reading()), Content::Reading(found) if found == reading()));
        let letter = DeadLetter {
            mqtt_topic: "a".to_owned(),
            payload: vec![0],
            reason: "malformed".to_owned(),
            detail: String::new(),
            received_at: Timestamp::from_micros(7),
            retained: false,
            route: None,
            broker: None,
        };
        let mut value = Vec::new();
        wire::encode_dead_letter(&letter, &mut value);
        assert!(
            matches!(decode(Stream::DeadLetters, None, &value), Content::Letter(found) if found == letter)
        );
    }

    #[test]
    fn what_the_table_cant_hold_is_refused_with_its_reason() {
        let mut long = reading();
        long.meter_id = "x".repeat(METER_ID_BYTES_MAX + 1);
        let mut nul = reading();
        nul.meter_id = "a\0b".to_owned();
        let mut phases = reading();
        phases.measures.phases = vec![Phase::default(); 4];
        let mut infinite = reading();
        infinite.measures.voltage_v = Some(f64::INFINITY);
        let mut empty = reading();
        empty.measures.power_w = None;
        for (reading, expected) in [
            (long, Reason::MeterIdInvalid),
            (nul, Reason::MeterIdInvalid),
            (phases, Reason::Malformed),
            (infinite, Reason::Malformed),
            (empty, Reason::NoMeasure),
        ] {
            assert_eq!(reason(decoded(&reading)), Some(expected));
        }
        assert_eq!(reason(decode(Stream::Readings, None, &[])), Some(Reason::RecordUndecodable));
        assert_eq!(reason(decode(Stream::Readings, Some(b"m"), &[0xff])), Some(Reason::RecordUndecodable));
        assert_eq!(reason(decode(Stream::DeadLetters, None, &[0xff])), Some(Reason::RecordUndecodable));
    }
}
