//! Any route table, and any topic against it: what the table finds is, of all that match by MQTT's own rule, the one that
//! all others cover.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wattline_formats::Family;
use wattline_fuzz::within_proportion;
use wattline_routes::{RouteSettings, Routes, covers, matches, overlap};

fuzz_target!(|data: &str| {
    let Some((topic, filters)) = data.split_once('\n') else { return };
    let settings: Vec<_> = filters
        .lines()
        .map(|line| {
            let (filter, meter_id) = line.split_once(' ').unwrap_or((line, "{1+}"));
            let meter_id = Some(meter_id.to_owned());
            RouteSettings { meter_id, ..RouteSettings::new(filter, Family::WATTLINE_JSON) }
        })
        .collect();
    for pair in settings.windows(2) {
        let (one, other) = (pair[0].filter.as_str(), pair[1].filter.as_str());
        assert_eq!(overlap(one, other), overlap(other, one));
        if matches(one, topic) && matches(other, topic) {
            assert!(overlap(one, other), "{one:?} and {other:?} match {topic:?}");
        }
        if covers(one, other) && matches(other, topic) {
            assert!(matches(one, topic), "{one:?} covers {other:?}, which matches {topic:?}");
        }
    }
    // A level of one character is a node with its table. Whoever writes routes is no enemy; linear is enough.
    let Ok(routes) = within_proportion(8 * data.len(), || Routes::new(&settings, &[])) else { return };
    let found = routes.find(topic);
    let matching: Vec<_> = settings.iter().filter(|route| matches(&route.filter, topic)).collect();
    let is_narrowest =
        |route: &RouteSettings| matching.iter().all(|other| covers(&other.filter, &route.filter));
    let expected = matching.iter().find(|route| is_narrowest(route));
    assert_eq!(
        expected.is_some(),
        !matching.is_empty(),
        "of {filters:?} none is the most specific for {topic:?}"
    );
    assert_eq!(found.map(|route| &route.filter), expected.map(|route| &route.filter));
    if let Some(route) = found {
        let _ = route.meter_id(topic, Some("id"), "channel");
    }
    let filters = routes.filters();
    assert!(expected.is_none_or(|_| filters.iter().any(|filter| matches(filter, topic))));
});
