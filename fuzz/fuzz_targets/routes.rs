//! Any route table, and any topic against it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wattline_mqtt_ingest::decode::Decoder;
use wattline_mqtt_ingest::route::{RouteSettings, Routes, matches};

fuzz_target!(|data: &str| {
    let Some((topic, filters)) = data.split_once('\n') else { return };
    let settings: Vec<_> = filters
        .lines()
        .map(|line| {
            let (filter, meter_id) = line.split_once(' ').unwrap_or((line, "{1+}"));
            let meter_id = Some(meter_id.to_owned());
            RouteSettings { meter_id, ..RouteSettings::new(filter, Decoder::WATTLINE_JSON) }
        })
        .collect();
    let Ok(routes) = Routes::new(&settings, &[]) else { return };
    let found = routes.find(topic);
    let expected = settings.iter().find(|route| matches(&route.filter, topic));
    assert_eq!(found.map(|route| &route.filter), expected.map(|route| &route.filter));
    if let Some(route) = found {
        let _ = route.meter_id(topic, Some("id"), "channel");
    }
});
