//! Any declaration, and any payload against it: the route's table in JSON up to the first line break, then the payload.
//! Where the first part is no table, a line of TOML may be one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wattline_formats::Family;
use wattline_formats::declarative::ReadingSettings;
use wattline_fuzz::{received_at, sound, within_proportion};
use wattline_reading::Limits;
use wattline_routes::{Input, Judge, Memory, RouteSettings, Routes};

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    let readings = serde_json::from_str::<Vec<ReadingSettings>>(text).ok();
    let Some(readings) = readings.or_else(|| Some(vec![toml::from_str(text).ok()?])) else { return };
    let Some(decoder) = Family::named("declarative") else { return };
    let route = RouteSettings { readings, ..RouteSettings::new("a/+", decoder) };
    let Ok(routes) = Routes::new(&[route], &[]) else { return };
    let judge = Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 };
    let payload = &data[end + 1..];
    let input =
        Input { topic: "a/b", payload, retained: false, redelivered: false, received_at: received_at() };
    let mut memory = Memory::default();
    let decoded = within_proportion(data.len(), || judge.decide(&input, &mut memory, |_| {}));
    sound(&judge, &input, &decoded);
});
