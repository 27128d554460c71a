//! Promise: how far a meter's clock is off is measured, whatever else its readings are.

use wattline_reading::{Reading, Timestamp, TsSource};

use crate::world::{World, at, reading};

/// A reading that arrives so many seconds after [`at`]`(0)`, whose device says it is so many ms before arrival.
fn arrives(meter_id: &str, seconds: i64, behind_ms: i64) -> Reading {
    let received_at = at(seconds);
    let ts = Timestamp::from_micros(received_at.micros() - behind_ms * 1000);
    Reading { ts, received_at, ..reading(meter_id, 0, 1.0) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smallest_difference_of_the_last_minutes_is_the_clock() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    for round in 0..3 {
        let seconds = round * 90;
        let mut arrived = vec![
            arrives("right", seconds, 180),
            arrives("ahead", seconds, -240_000),
            arrives("behind", seconds, 3_600_200),
        ];
        // One message of a device that was offline: the oldest first, all arrive at once.
        arrived.extend((0..20).rev().map(|age| arrives("buffered", seconds, 300 + age * 60_000)));
        let mut no_clock = arrives("no_clock", seconds, 0);
        no_clock.ts_source = TsSource::Arrival;
        arrived.push(no_clock);
        world.kafka.send(&arrived);
        world.wait_stored().await;
    }
    let measured = "SELECT count(*) FROM meter WHERE (meter_id, clock_offset_ms) IN \
        (('right', 180), ('ahead', -240000), ('behind', 3600200), ('buffered', 300)) \
        AND clock_measured_at = last_seen AND last_seen = '2026-11-20T10:03:00Z'";
    world.wait_count(measured, 4).await;
    let none = "SELECT count(*) FROM meter WHERE meter_id = 'no_clock' AND clock_offset_ms IS NULL \
        AND clock_measured_at IS NULL AND last_seen = '2026-11-20T10:03:00Z'";
    world.wait_count(none, 1).await;

    // A clock that was set; and the way back of an old letter, which says nothing of today.
    world.kafka.send(&[
        arrives("ahead", 1000, 150),
        arrives("right", 1000, 170),
        arrives("right", 10, -9000),
    ]);
    world.wait_stored().await;
    let set =
        "SELECT count(*) FROM meter WHERE (meter_id, clock_offset_ms) IN (('ahead', 150), ('right', 170))";
    world.wait_count(set, 2).await;

    let class = |class| format!("wattline_timescale_sink_clock_measured_total{{clock=\"{class}\"}}");
    for class in ["right", "far_ahead", "far_behind"].map(class) {
        assert!(sink.metric(&class).is_some_and(|count| count >= 2.0), "{class}");
    }
    sink.stop().await;
}
