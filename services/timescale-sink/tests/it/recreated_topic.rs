//! Offsets of a topic that was deleted and made anew under the same name mean nothing.

use wattline_reading::Reading;

use crate::world::{PARTITIONS, Totals, World, letter, meter, reading};

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
    sink.not_ready("`wattlinectl offsets reset").await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 50);
    let said = sink.context.ready.missing().join(" ");
    assert!(world.obey(&said).await.contains("are forgotten"), "{said}");
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
    sink.not_ready("`wattlinectl offsets reset").await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 50);
    // The client of before has given the partitions up for good: without a new one the sink was ready here, and read
    // nothing until its restart.
    let said = sink.context.ready.missing().join(" ");
    assert!(world.obey(&said).await.contains("are forgotten"), "{said}");
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 130);
    sink.stop().await;
}

/// What was put aside of the topic before has the same offsets: it must not swallow what comes now.
///
/// Seen to fail without `source_topic_id` in the keys: the second letter was counted as a duplicate of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_and_conflicts_of_a_topic_made_anew_are_stored_beside_the_old_ones() {
    let world = World::new().await;
    let conflicting = |second| [reading("m", second, 1.0), reading("m", second, 2.0)];
    let sink = world.start(world.config()).ready().await;
    world.kafka.send_letters(&[letter("old")]);
    world.kafka.send(&conflicting(0));
    world.wait_stored().await;
    sink.stop().await;
    world.kafka.delete(&world.kafka.dead_letters).await;
    world.kafka.create(&world.kafka.dead_letters, 1).await;
    recreate(&world).await;
    let sink = world.start(world.config());
    for topic in [&world.kafka.readings, &world.kafka.dead_letters] {
        world.obey(&format!("`wattlinectl offsets reset --topic {topic}`")).await;
    }
    let sink = sink.ready().await;
    world.kafka.send_letters(&[letter("new")]);
    world.kafka.send(&conflicting(10));
    world.wait_stored().await;
    assert_eq!(
        world.text("SELECT string_agg(detail, ' ' ORDER BY stored_at) FROM dead_letter").await,
        "old new"
    );
    assert_eq!(world.count("SELECT count(DISTINCT source_topic_id) FROM dead_letter").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM reading_conflict").await, 2);
    assert_eq!(world.totals(&world.kafka.dead_letters).await, Totals { stored: 1, ..Totals::default() });
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
