use proptest::option;
use proptest::prelude::*;

use super::*;

fn phase() -> impl Strategy<Value = Phase> {
    (option::of(-1e5..1e5), option::of(0.0..500.0), option::of(0.0..100.0))
        .prop_map(|(power_w, voltage_v, current_a)| Phase { power_w, voltage_v, current_a })
}

prop_compose! {
    fn reading()(
        meter_id in "[a-z0-9/]{1,128}",
        ts in -9_000_000_000_000_000_i64..253_402_300_799_000_000,
        arrival in any::<bool>(),
        power_w in option::of(-1e5..1e5),
        registers in (option::of(0..i64::MAX), option::of(0..i64::MAX)),
        secondary in (option::of(0.0..500.0), option::of(0.0..500.0), option::of(-1.0..1.0), option::of(40.0..70.0), option::of(0.0..100.0)),
        phases in prop::collection::vec(phase(), 0..4),
        epoch in option::of(0..1_800_000_000_000_000_i64),
        redelivered in any::<bool>(),
        info in option::of(("[a-z/+#]{0,20}", "[a-z]{1,9}", option::of(1.0..1e5))),
    ) -> Reading {
        Reading {
            meter_id,
            ts: Timestamp::from_micros(ts),
            received_at: Timestamp::from_micros(ts.saturating_add(1)),
            ts_source: if arrival { TsSource::Arrival } else { TsSource::Device },
            measures: Measures {
                power_w,
                energy_import_mwh: registers.0,
                energy_export_mwh: registers.1,
                voltage_v: secondary.0,
                current_a: secondary.1,
                power_factor: secondary.2,
                frequency_hz: secondary.3,
                soc_pct: secondary.4,
                phases,
            },
            register_epoch: epoch.map(Timestamp::from_micros),
            redelivered,
            meter_info: info.map(|(route, family, max_power_w)| {
                Box::new(MeterInfo { route, family, max_power_w })
            }),
        }
    }
}

proptest! {
    #[test]
    fn a_reading_survives_the_wire(reading in reading()) {
        let mut bytes = Vec::new();
        encode_reading(&reading, &mut bytes);
        prop_assert_eq!(decode_reading(Some(reading.meter_id.as_bytes()), &bytes), Ok(reading));
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_reading(Some(b"m"), &bytes);
        let _ = decode_dead_letter(&bytes);
    }
}

#[test]
fn a_dead_letter_survives_the_wire() {
    let letter = DeadLetter {
        mqtt_topic: "wattline/m-1/reading".to_owned(),
        payload: vec![0, 255, 7],
        reason: "malformed".to_owned(),
        detail: "expected a value at byte 0".to_owned(),
        received_at: Timestamp::from_micros(1_795_168_800_000_000),
        retained: true,
        route: Some("wattline/+/reading".to_owned()),
        broker: Some("street".to_owned()),
    };
    let mut bytes = Vec::new();
    encode_dead_letter(&letter, &mut bytes);
    assert_eq!(decode_dead_letter(&bytes), Ok(letter));
}

#[test]
fn a_field_of_a_later_version_is_ignored() {
    let mut bytes = Vec::new();
    let reading = Reading::new(
        "m",
        Timestamp::from_micros(1_795_168_800_000_000),
        Measures { power_w: Some(1.0), ..Measures::default() },
    );
    encode_reading(&reading, &mut bytes);
    // Field 99, a varint.
    bytes.extend_from_slice(&[0x98, 0x06, 0x01]);
    assert_eq!(decode_reading(Some(b"m"), &bytes), Ok(reading));
}

#[test]
fn a_record_without_a_key_is_an_error() {
    assert_eq!(decode_reading(None, &[]), Err(WireError::Key));
    assert_eq!(decode_reading(Some(&[0xff]), &[]), Err(WireError::Key));
}

/// The structs above are written by hand; the schema is what others read. They must say the same.
#[test]
fn the_schema_says_what_the_code_does() {
    let descriptor =
        protox::compile(["reading.proto"], [concat!(env!("CARGO_MANIFEST_DIR"), "/proto")]).unwrap();
    let file = descriptor.file.iter().find(|file| file.name() == "reading.proto").unwrap();
    let fields = |message: &str| -> Vec<(String, i32, String)> {
        let message = file.message_type.iter().find(|candidate| candidate.name() == message).unwrap();
        let field = |field: &prost_types::FieldDescriptorProto| {
            (field.name().to_owned(), field.number(), format!("{:?}", field.r#type()).to_lowercase())
        };
        message.field.iter().map(field).collect()
    };
    let source = include_str!("wire.rs");
    for message in ["Reading", "MeterInfo", "Phase", "DeadLetter"] {
        let start = source.find(&format!("struct {message}Message {{")).unwrap();
        let body = &source[start..start + source[start..].find("\n}").unwrap()];
        let in_code: Vec<(String, i32, String)> = body.split("#[prost(").skip(1).map(field_in_code).collect();
        let in_schema = fields(message).into_iter().map(|(name, number, kind)| {
            (name, number, if kind == "enum" { "int32".to_owned() } else { kind })
        });
        assert_eq!(in_code, in_schema.collect::<Vec<_>>(), "{message}");
    }
}

/// `sint64, optional, tag = "5")] energy_import_mwh: …` to (name, number, type).
fn field_in_code(text: &str) -> (String, i32, String) {
    let kind: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    let number = text.split("tag = \"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let name = text.split(")]").nth(1).unwrap().split(':').next().unwrap().trim();
    (name.to_owned(), number, kind)
}
