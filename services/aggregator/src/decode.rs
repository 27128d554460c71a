//! The two things that a mark needs of a record: the meter, which is the key, and the event time.
//!
//! Decoding the whole reading would cost more than everything else that is done with it.

/// The number of `ts_us` in `proto/reading.proto`.
const TS_FIELD: u64 = 1;
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// The meter id and the event time in µs. None where the sink can't store the record either.
#[must_use]
pub(crate) fn meter_and_ts<'a>(key: Option<&'a [u8]>, value: Option<&[u8]>) -> Option<(&'a str, i64)> {
    let meter = std::str::from_utf8(key?).ok()?;
    Some((meter, ts_us(value?)?))
}

/// `ts_us` of an encoded reading; as everywhere in protobuf, the last one counts, and 0 is left out.
fn ts_us(mut value: &[u8]) -> Option<i64> {
    let mut ts_us = 0;
    while !value.is_empty() {
        let tag = varint(&mut value)?;
        match tag & 7 {
            VARINT => {
                let number = varint(&mut value)?;
                if tag >> 3 == TS_FIELD {
                    ts_us = zigzag(number);
                }
            }
            FIXED64 => value = value.get(8..)?,
            FIXED32 => value = value.get(4..)?,
            BYTES => {
                let length = usize::try_from(varint(&mut value)?).ok()?;
                value = value.get(length..)?;
            }
            _ => return None,
        }
    }
    Some(ts_us)
}

fn varint(value: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (index, byte) in value.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *value = &value[index + 1..];
            return Some(number);
        }
    }
    None
}

const fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wattline_reading::{Measures, Phase, Reading, Timestamp, TsSource, wire};

    use super::*;

    fn reading(ts_us: i64, power_w: Option<f64>, phases: usize) -> Reading {
        Reading {
            received_at: Timestamp::from_micros(5),
            ts_source: TsSource::Arrival,
            register_epoch: Some(Timestamp::from_micros(-1)),
            redelivered: true,
            ..Reading::new(
                "meter-1",
                Timestamp::from_micros(ts_us),
                Measures {
                    power_w,
                    energy_import_mwh: Some(-3),
                    phases: vec![Phase { power_w, ..Phase::default() }; phases],
                    ..Measures::default()
                },
            )
        }
    }

    proptest! {
        #[test]
        fn the_time_is_that_of_the_whole_reading(
            ts_us in -9_000_000_000_000_000_i64..250_000_000_000_000_000,
            power_w in prop::option::of(-1e5..1e5_f64),
            phases in 0_usize..4,
        ) {
            let mut value = Vec::new();
            wire::encode_reading(&reading(ts_us, power_w, phases), &mut value);
            prop_assert_eq!(meter_and_ts(Some(b"m"), Some(&value)), Some(("m", ts_us)));
        }

        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let ours = ts_us(&value);
            let whole = wire::decode_reading(Some(b"m"), &value);
            // What the sink can read, it stores: then a mark must come of it, with the same time.
            if let Ok(whole) = whole {
                prop_assert_eq!(ours.map(Timestamp::from_micros), Some(whole.ts));
            }
        }
    }

    #[test]
    fn a_record_without_a_usable_key_is_left_out() {
        assert_eq!(meter_and_ts(None, Some(&[])), None);
        assert_eq!(meter_and_ts(Some(&[0xff]), Some(&[])), None);
        assert_eq!(meter_and_ts(Some(b"m"), None), None);
    }
}
