//! Any text as a number, a register, a time and an OBIS code.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wattline_formats::Family;
use wattline_formats::json::Json;
use wattline_formats::time::{DeviceTime, parse_epoch};
use wattline_formats::unit::Unit;
use wattline_formats::{number, obis};
use wattline_fuzz::{received_at, within_proportion};
use wattline_reading::register::{REGISTER_MWH_MAX, parse_wh};
use wattline_reading::{Limits, Timestamp};
use wattline_routes::{RouteSettings, Routes, TimePolicy};

const UNITS: [Unit; 11] = [
    Unit::One,
    Unit::Kilo,
    Unit::Mega,
    Unit::Deca,
    Unit::Hecto,
    Unit::Deci,
    Unit::Centi,
    Unit::Milli,
    Unit::WattMinute,
    Unit::Joule,
    Unit::Kilojoule,
];

/// One route for each policy and each kind of zone.
static ROUTES: LazyLock<Vec<Routes>> = LazyLock::new(|| {
    let policies = [TimePolicy::Device, TimePolicy::Arrival, TimePolicy::DeviceIfPlausible];
    let zones = ["", "Europe/Berlin", "Australia/Lord_Howe"];
    let pairs = policies.into_iter().flat_map(|policy| zones.map(|zone| (policy, zone)));
    pairs
        .map(|(time, zone)| {
            let time_zone = zone.to_owned();
            let settings =
                RouteSettings { time, time_zone, ..RouteSettings::new("a/+", Family::WATTLINE_JSON) };
            Routes::new(&[settings], &[]).expect("a route")
        })
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let _ = within_proportion(data.len(), || Json::parse(data));
    let Ok(text) = std::str::from_utf8(data) else { return };
    within_proportion(data.len(), || {
        if let Some(decimal) = number::decimal(text) {
            for unit in UNITS {
                let _ = unit.value(&decimal);
                let mwh = unit.register_mwh(&decimal);
                assert!(mwh.is_none_or(|mwh| mwh.abs() <= REGISTER_MWH_MAX));
            }
        }
        assert!(parse_wh(text).is_none_or(|mwh| mwh.abs() <= REGISTER_MWH_MAX));
        let _ = (parse_epoch(text), Timestamp::parse_rfc3339(text));
        let _ = obis::parse(text).map(obis::quantity);
        let times = [
            DeviceTime::from_text(text),
            DeviceTime::from_meter(text),
            DeviceTime::from_epoch(text, 0),
            DeviceTime::from_epoch(text, -3),
            DeviceTime::from_epoch(text, -9),
        ];
        for route in ROUTES.iter().flat_map(Routes::all) {
            for time in &times {
                let _ = route.event_time(time, true, received_at(), &Limits::default());
                let _ = route.timing.epoch(time, received_at());
            }
        }
    });
});
