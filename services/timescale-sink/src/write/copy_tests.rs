use bytes::Buf;
use proptest::option;
use proptest::prelude::*;
use wattline_reading::{Timestamp, TsSource, register};

use super::*;

prop_compose! {
    fn reading()(
        ts in -1_000_000_000_000_000_i64..4_000_000_000_000_000,
        arrival in any::<bool>(),
        single in (option::of(any::<f64>()), option::of(any::<f64>()), option::of(any::<f64>())),
        registers in (option::of(0..1_000_000_000_000_000_i64), option::of(0..1_000_000_000_000_000_i64)),
        phases in prop::collection::vec((option::of(any::<f64>()), option::of(any::<f64>())), 0..=3),
        epoch in option::of(0..2_000_000_000_000_000_i64),
    ) -> Reading {
        let phase = |(power_w, current_a)| Phase { power_w, voltage_v: None, current_a };
        Reading { received_at: Timestamp::from_micros(ts + 1), ts_source: if arrival { TsSource::Arrival } else { TsSource::Device }, register_epoch: epoch.map(Timestamp::from_micros), ..Reading::new("m", Timestamp::from_micros(ts), Measures {
                power_w: single.0,
                energy_import_mwh: registers.0,
                energy_export_mwh: registers.1,
                frequency_hz: single.1,
                    soc_pct: single.2,
                phases: phases.into_iter().map(phase).collect(),
                ..Measures::default()
            }) }
    }
}

/// The fields of one encoded row; `None` is NULL.
fn fields(bytes: &mut impl Buf) -> Vec<Option<Vec<u8>>> {
    let count = bytes.get_i16();
    let field = |_| {
        let length = usize::try_from(bytes.get_i32()).ok()?;
        Some(bytes.copy_to_bytes(length).to_vec())
    };
    (0..count).map(field).collect()
}

fn float(field: &Option<Vec<u8>>) -> Option<u64> {
    field.as_ref().map(|bytes| bytes.as_slice().get_f64().to_bits())
}

fn time(field: &Option<Vec<u8>>) -> Option<i64> {
    field.as_ref().map(|bytes| bytes.as_slice().get_i64() + EPOCH_2000_US)
}

/// The values of an array; `None` where the array itself is NULL.
fn array(field: &Option<Vec<u8>>) -> Option<Vec<Option<u64>>> {
    let mut bytes = field.as_ref()?.as_slice();
    assert_eq!(bytes.get_i32(), 1, "dimensions");
    let has_null = bytes.get_i32() == 1;
    assert_eq!(bytes.get_u32(), FLOAT8_OID);
    let count = bytes.get_i32();
    assert_eq!(bytes.get_i32(), 1, "lower bound");
    let values: Vec<Option<u64>> =
        (0..count).map(|_| (bytes.get_i32() == 8).then(|| bytes.get_f64().to_bits())).collect();
    assert!(!bytes.has_remaining());
    assert_eq!(has_null, values.contains(&None));
    Some(values)
}

proptest! {
    #[test]
    fn a_row_is_what_the_reading_says(meter_key in any::<i32>(), reading in reading()) {
        let mut bytes = BytesMut::new();
        put_row(&mut bytes, meter_key, &reading);
        prop_assert!(bytes.len() <= ROW_BYTES_MAX);
        let row = fields(&mut bytes);
        prop_assert!(!bytes.has_remaining());
        prop_assert_eq!(row.len(), usize::try_from(COLUMN_COUNT).unwrap());
        let measures = &reading.measures;
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        prop_assert_eq!(row[0].as_deref(), Some(&meter_key.to_be_bytes()[..]));
        prop_assert_eq!(time(&row[1]), Some(reading.ts.micros()));
        prop_assert_eq!(time(&row[2]), Some(reading.received_at.micros()));
        prop_assert_eq!(row[3].as_deref(), Some(reading.ts_source.as_str().as_bytes()));
        prop_assert_eq!(float(&row[4]), bits(measures.power_w));
        prop_assert_eq!(float(&row[5]), bits(measures.energy_import_mwh.map(register::to_wh)));
        prop_assert_eq!(float(&row[6]), bits(measures.energy_export_mwh.map(register::to_wh)));
        prop_assert_eq!(float(&row[10]), bits(measures.frequency_hz));
        prop_assert_eq!(float(&row[11]), bits(measures.soc_pct));
        let phases = |of: fn(&Phase) -> Option<f64>| {
            (!measures.phases.is_empty()).then(|| measures.phases.iter().map(|phase| bits(of(phase))).collect())
        };
        prop_assert_eq!(array(&row[12]), phases(|phase| phase.power_w));
        prop_assert_eq!(array(&row[13]), phases(|phase| phase.voltage_v));
        prop_assert_eq!(array(&row[14]), phases(|phase| phase.current_a));
        prop_assert_eq!(time(&row[15]), reading.register_epoch.map(Timestamp::micros));
    }
}
