//! Records that Kafka no longer has are counted, and the rest goes on.

use wattline_reading::wire;

use crate::world::{Totals, World, reading};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_retention_took_are_counted_as_lost() {
    let world = World::new().await;
    send(&world, 0, 10);
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    sink.stop().await;
    send(&world, 10, 100);
    world.kafka.delete_below(&world.kafka.readings, 0, 60).await;
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    let expected = Totals { stored: 50, lost: 50, ..Totals::default() };
    assert_eq!(world.readings().await, expected);
    let lost = "wattline_timescale_sink_records_total{stream=\"readings\",partition=\"0\",outcome=\"lost\"}";
    sink.wait_metric(lost, 50.0).await;
    sink.stop().await;
}

/// What was gone before the first start was never this sink's: the count begins at the first record there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_gone_before_the_first_start_is_not_lost() {
    let world = World::new().await;
    send(&world, 0, 30);
    world.kafka.delete_below(&world.kafka.readings, 0, 20).await;
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    let expected = Totals { stored: 10, ..Totals::default() };
    assert_eq!(world.readings().await, expected);
    sink.stop().await;
}

fn send(world: &World, from: i64, to: i64) {
    for second in from..to {
        let mut value = Vec::new();
        wire::encode_reading(&reading("a", second, 1.0), &mut value);
        world.kafka.send_raw(&world.kafka.readings, Some(0), b"a", &value);
    }
    world.kafka.flush();
}
