//! Any payload on the default topics of every family. `WATTLINE_FAMILY=tasmota` holds it to one family.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wattline_mqtt_ingest::decode::{Decoded, Input, Judge, Memory};
use wattline_mqtt_ingest::route::Routes;
use wattline_reading::{Limits, Timestamp};

static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
    let families = vec![std::env::var("WATTLINE_FAMILY").unwrap_or_else(|_| "all".to_owned())];
    let routes = Routes::new(&[], &families).expect("a family's name");
    Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 }
});

fuzz_target!(|data: &[u8]| {
    // The first bytes choose the route and what stands for its wildcards, the rest is the payload.
    let [route, level, flags, payload @ ..] = data else { return };
    let routes = JUDGE.routes.all();
    let route = &routes[usize::from(*route) % routes.len()];
    let levels = ["0", "em:0", "SENSOR", "reading", "Ac/Power", "ch0", "up", "DBIRTH", "x"];
    let level = levels[usize::from(*level) % levels.len()];
    let topic = route.filter.replace(['+', '#'], level);
    let received_at = Timestamp::from_micros(1_795_168_830_000_000);
    let retained = flags & 1 == 1;
    let input = Input { topic: &topic, payload, retained, redelivered: false, received_at };
    let mut memory = Memory::default();
    // Twice, for families that remember.
    let _ = JUDGE.decide(&input, &mut memory, |_| {});
    if let Decoded::Readings(readings) = JUDGE.decide(&input, &mut memory, |_| {}) {
        assert!(!readings.is_empty());
        for mut reading in readings {
            assert!(JUDGE.limits.check(&mut reading, |_| {}).is_ok(), "checked twice, the same");
        }
    }
});
