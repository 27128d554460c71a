//! Any declaration, and any payload against it: TOML up to the first NUL, then the payload.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wattline_mqtt_ingest::decode::declarative::ReadingSettings;
use wattline_mqtt_ingest::decode::{Decoder, Input, Judge, Memory};
use wattline_mqtt_ingest::route::{RouteSettings, Routes};
use wattline_reading::{Limits, Timestamp};

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    let Ok(reading) = toml::from_str::<ReadingSettings>(text) else { return };
    let Some(decoder) = Decoder::named("declarative") else { return };
    let route = RouteSettings { readings: vec![reading], ..RouteSettings::new("a/+", decoder) };
    let Ok(routes) = Routes::new(&[route], &[]) else { return };
    let judge = Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 };
    let received_at = Timestamp::from_micros(1_795_168_830_000_000);
    let payload = &data[end + 1..];
    let input = Input { topic: "a/b", payload, retained: false, redelivered: false, received_at };
    let _ = judge.decide(&input, &mut Memory::default(), |_| {});
});
