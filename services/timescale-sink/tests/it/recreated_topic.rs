//! Offsets of a topic that was deleted and made anew under the same name mean nothing.

use wattline_reading::Reading;

use crate::world::{PARTITIONS, World, meter, reading};

/// Seen to fail without the guard: with the comparison of identities in `Found::refusal` left out, the sink goes on at
/// offset 50 of the new topic and never stores its first records, without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_stops_its_partitions_until_a_person_decides() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 50);
    world.wait_stored().await;
    sink.stop().await;
    recreate(&world).await;
    send(&world, 50, 130);

    let sink = world.start(world.config());
    sink.not_ready("DELETE FROM stream_offset").await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 50);
    let cure = format!("DELETE FROM stream_offset WHERE topic = '{}'", world.kafka.readings);
    world.owner.execute(&cure, &[]).await.unwrap();
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 130);
    sink.stop().await;
}

/// The same while the sink runs: the client library finds the new topic by itself and begins at its first record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_under_a_running_sink_is_noticed() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 50);
    world.wait_stored().await;
    recreate(&world).await;
    send(&world, 50, 130);
    sink.not_ready("DELETE FROM stream_offset").await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 50);
    // The client of before has given the partitions up for good: without a new one the sink was ready here, and read
    // nothing until its restart.
    let cure = format!("DELETE FROM stream_offset WHERE topic = '{}'", world.kafka.readings);
    world.owner.execute(&cure, &[]).await.unwrap();
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 130);
    sink.stop().await;
}

fn send(world: &World, from: usize, to: usize) {
    let one = |number| reading(&meter(0), i64::try_from(number).unwrap(), 1.0);
    let readings: Vec<Reading> = (from..to).map(one).collect();
    world.kafka.send(&readings);
}

async fn recreate(world: &World) {
    let topic = &world.kafka.readings;
    world.kafka.delete(topic).await;
    world.kafka.create(topic, PARTITIONS).await;
}
