//! The registry of meters is written by what comes with the readings, and by how they come.

use wattline_reading::{MeterInfo, Reading};

use crate::world::{World, reading};

fn told(reading: Reading, route: &str, max_power_w: Option<f64>) -> Reading {
    let info = MeterInfo { route: route.to_owned(), family: "tasmota".to_owned(), max_power_w };
    Reading { meter_info: Some(Box::new(info)), ..reading }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_says_what_is_known_of_a_meter() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    // Every ten seconds, with a register that moves by whole watt-hours; the first says whose it is.
    let mut readings: Vec<Reading> = (0..30).map(|n| reading("a", n * 10, 100.0)).collect();
    for (reading, n) in readings.iter_mut().zip(1..) {
        reading.measures.energy_import_mwh = Some(5_000_000 + n * n * 1000);
    }
    readings[0] = told(readings[0].clone(), "tele/+/SENSOR", Some(3680.0));
    world.kafka.send(&readings);
    let known = "SELECT count(*) FROM meter WHERE (meter_id, route, family, max_power_w, expected_s, resolution_wh) \
        = ('a', 'tele/+/SENSOR', 'tasmota', 3680, 10, 1)";
    world.wait_count(known, 1).await;
    // Another route, which says nothing of power; a reading without a word changes nothing.
    world.kafka.send(&[told(reading("a", 300, 1.0), "home/+/SENSOR", None), reading("a", 370, 1.0)]);
    let other = "SELECT count(*) FROM meter WHERE meter_id = 'a' AND route = 'home/+/SENSOR' AND max_power_w IS NULL \
        AND expected_s = 10 AND last_seen >= (SELECT max(received_at) FROM reading)";
    world.wait_count(other, 1).await;
    sink.stop().await;
}

/// Of its own, with what came later, and in a contradiction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_charge_is_a_measure_like_the_others() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    let charge = |soc_pct| {
        let mut reading = reading("battery", 0, 0.0);
        reading.measures.power_w = None;
        reading.measures.soc_pct = Some(soc_pct);
        reading
    };
    world.kafka.send(&[charge(63.5), charge(63.5), reading("battery", 0, 100.0), charge(64.0)]);
    world.wait_stored().await;
    world.kafka.send(&[charge(63.5), charge(64.0)]);
    world.wait_stored().await;
    let totals = world.readings().await;
    assert_eq!((totals.stored, totals.merged, totals.duplicate, totals.conflict), (1, 1, 2, 2));
    assert_eq!(world.text("SELECT format('%s %s', power_w, soc_pct) FROM reading").await, "100 63.5");
    let conflict = "SELECT string_agg(format('%s/%s', kept -> 'soc_pct', refused -> 'soc_pct'), ' ') FROM \
        reading_conflict";
    assert_eq!(world.text(conflict).await, "63.5/64.0 63.5/64.0");
    sink.stop().await;
}
