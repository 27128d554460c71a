//! What is written to Kafka is read back, for any reading; what is cut or of another kind is told.

use proptest::prelude::*;
use wattline_reading::wire::{
    WireError, decode_dead_letter, decode_reading, encode_dead_letter, encode_reading,
};
use wattline_reading::{DeadLetter, Measures, Reading, Timestamp};

use crate::any::{reading, timestamp};

fn encoded(reading: &Reading) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_reading(reading, &mut bytes);
    bytes
}

proptest! {
    /// Infinities, subnormal numbers, the ends of the registers' type and of time included.
    #[test]
    fn any_reading_survives(reading in reading()) {
        let bytes = encoded(&reading);
        prop_assert_eq!(decode_reading(Some(reading.meter_id.as_bytes()), &bytes), Ok(reading));
    }

    /// A writer appends: what stood in the buffer before is left alone.
    #[test]
    fn encoding_appends(reading in reading(), before in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = before.clone();
        encode_reading(&reading, &mut bytes);
        prop_assert_eq!(&bytes[..before.len()], &before[..]);
        prop_assert_eq!(&bytes[before.len()..], &encoded(&reading)[..]);
    }

    #[test]
    fn any_dead_letter_survives(
        texts in ("\\PC{0,80}", "[a-z_]{0,20}", "\\PC{0,80}"),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        received_at in timestamp(),
        retained in any::<bool>(),
        route in prop::option::of("\\PC{0,30}"),
        broker in prop::option::of("\\PC{0,30}"),
    ) {
        let (mqtt_topic, reason, detail) = texts;
        let letter = DeadLetter { mqtt_topic, payload, reason, detail, received_at, retained, route, broker };
        let mut bytes = Vec::new();
        encode_dead_letter(&letter, &mut bytes);
        prop_assert_eq!(decode_dead_letter(&bytes), Ok(letter));
    }

    /// Fields of later versions, of every wire type, are passed over.
    #[test]
    fn later_fields_are_passed_over(reading in reading(), number in 100_u64..2000, value in any::<u64>(), kind in 0..3) {
        let mut bytes = encoded(&reading);
        let varint = |bytes: &mut Vec<u8>, mut value: u64| {
            while value >= 0x80 {
                bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
                value >>= 7;
            }
            bytes.push(u8::try_from(value).unwrap());
        };
        match kind {
            0 => {
                varint(&mut bytes, number << 3);
                varint(&mut bytes, value);
            }
            1 => {
                varint(&mut bytes, number << 3 | 1);
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            _ => {
                varint(&mut bytes, number << 3 | 2);
                varint(&mut bytes, 8);
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
        prop_assert_eq!(decode_reading(Some(reading.meter_id.as_bytes()), &bytes), Ok(reading));
    }

    /// A record that was cut is an error or another reading, never a panic; cut in the middle of a field it is an error.
    #[test]
    fn a_cut_record_is_told(reading in reading()) {
        let bytes = encoded(&reading);
        let key = Some(reading.meter_id.as_bytes());
        for end in 0..bytes.len() {
            let _ = decode_reading(key, &bytes[..end]);
        }
        let mut broken = bytes;
        broken.extend_from_slice(&[0x0a, 0x05, 1, 2]);
        prop_assert!(matches!(decode_reading(key, &broken), Err(WireError::Protobuf(_))));
    }
}

#[test]
fn an_empty_value_is_a_reading_of_nothing() {
    let reading = decode_reading(Some(b"m"), &[]).unwrap();
    assert_eq!(reading, Reading { ..Reading::new("m", Timestamp::from_micros(0), Measures::default()) });
}

#[test]
fn a_missing_value_is_not_zero() {
    let zero = Measures { power_w: Some(0.0), energy_import_mwh: Some(0), ..Measures::default() };
    let zero = Reading::new("m", Timestamp::from_micros(1), zero);
    let none = Reading::new("m", Timestamp::from_micros(1), Measures::default());
    assert_ne!(encoded(&zero), encoded(&none));
    let negative_zero = Measures { power_w: Some(-0.0), ..Measures::default() };
    let reading = Reading::new("m", Timestamp::from_micros(1), negative_zero);
    let back = decode_reading(Some(b"m"), &encoded(&reading)).unwrap();
    assert!(back.measures.power_w.is_some_and(f64::is_sign_negative), "each bit is kept");
}
