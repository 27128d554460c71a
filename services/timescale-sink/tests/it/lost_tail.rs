//! Kafka, or the database, has lost what it had last: nothing is skipped without a word, and nothing stays as it was.

use std::time::Duration;

use wattline_reading::Reading;

use crate::world::{Totals, World, letter, meter, reading};

/// The meter of all readings here: they are in one partition.
const METER: usize = 0;

/// Kafka ends below what is stored, and then goes on beyond it before anybody has acted: the refusal must outlive that.
/// The cure is the one that the error names.
///
/// Without the column `refused` the next try finds Kafka's end above the offset and goes on there: the first three of the
/// new readings are never stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_kafka_has_lost_stays_refused_until_a_person_decides() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 10);
    world.wait_stored().await;
    sink.stop().await;
    as_if_three_more_were_stored(&world).await;

    let sink = world.start(world.config());
    sink.not_ready("Kafka has lost records that were stored").await;
    send(&world, 10, 15);
    // Several tries.
    tokio::time::sleep(Duration::from_secs(3)).await;
    sink.not_ready("Kafka has lost records that were stored").await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 10);

    let said = world.text("SELECT refused FROM stream_offset WHERE refused IS NOT NULL").await;
    // A version before says where Kafka ended in words only; where it ends now would skip five readings.
    world.owner.batch_execute("UPDATE stream_offset SET refused_end = NULL").await.unwrap();
    let done = world.obey(&said).await;
    assert!(done.contains("timescale-sink goes on at offset 10, it was at 13"), "{done}");
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 15);
    assert_eq!(world.readings().await, Totals { stored: 18, ..Totals::default() });
    assert_eq!(world.count("SELECT sum(retracted)::bigint FROM sink_outcome").await, 3);
    sink.stop().await;
}

/// Kafka was written beyond what is stored before anybody looked: no watermark tells, but the last record that was stored is
/// another one now.
///
/// Without the columns `mark_offset` and `mark_ms` the sink goes on at 13, and the first three of the new readings are never
/// stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_kafka_has_lost_and_written_anew_is_found() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 10);
    world.wait_stored().await;
    sink.stop().await;
    as_if_three_more_were_stored(&world).await;
    send(&world, 10, 15);
    let sink = world.start(world.config());
    sink.not_ready("had read the record at offset 12 before, but Kafka has another one there now").await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 10);
    let said = world.text("SELECT refused FROM stream_offset WHERE refused IS NOT NULL").await;
    world.obey(&said).await;
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 15);
    // What is from the seconds before may be of either log, and is read again.
    assert_eq!(world.readings().await, Totals { stored: 18, duplicate: 10, ..Totals::default() });
    assert_eq!(world.count("SELECT sum(retracted)::bigint FROM sink_outcome").await, 13);
    sink.stop().await;
    // Restarted with the log that it knows, it goes on at once.
    let sink = world.start(world.config()).ready().await;
    send(&world, 15, 16);
    world.wait_count("SELECT count(*) FROM reading", 16).await;
    assert_eq!(world.count("SELECT count(*) FROM stream_offset WHERE refused IS NOT NULL").await, 0);
    sink.stop().await;
}

/// A dead letter of what Kafka lost stays beside the one that gets its offset.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_lost_tail_swallow_none_that_come_after() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    world.kafka.send_letters(&[letter("kept")]);
    world.wait_stored().await;
    sink.stop().await;
    // As if one letter more had been stored that Kafka then lost.
    world
        .owner
        .batch_execute(
            "BEGIN; INSERT INTO dead_letter (source_topic, source_topic_id, source_partition, source_offset, reason, \
             detail, mqtt_topic, retained, payload, received_at) SELECT source_topic, source_topic_id, source_partition, \
             1, reason, 'lost', mqtt_topic, retained, payload, received_at FROM dead_letter; \
             UPDATE stream_offset SET next_offset = 2 WHERE next_offset = 1; \
             UPDATE sink_outcome SET next_offset = 2, stored = 2 WHERE next_offset = 1; COMMIT",
        )
        .await
        .unwrap();
    let sink = world.start(world.config());
    sink.not_ready("Kafka has lost records that were stored").await;
    let said = world.text("SELECT refused FROM stream_offset WHERE refused IS NOT NULL").await;
    // Kafka goes on before anybody has acted.
    world.kafka.send_letters(&[letter("new")]);
    let done = world.obey(&said).await;
    assert!(done.contains("1 dead letters and conflicts of what Kafka lost are kept"), "{done}");
    let sink = sink.ready().await;
    world.wait_stored().await;
    let details = "SELECT string_agg(detail, ' ' ORDER BY stored_at, detail) FROM dead_letter";
    assert_eq!(world.text(details).await, "kept lost new");
    assert_eq!(world.totals(&world.kafka.dead_letters).await, Totals { stored: 3, ..Totals::default() });
    sink.stop().await;
}

/// The database comes back without its last commit, under a running sink, and no further record comes.
///
/// Seen to fail without `Writer::look_after_connection`: after a minute the tenth reading was still missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_has_lost_is_read_again_without_a_further_record() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 10);
    world.wait_stored().await;
    world
        .owner
        .batch_execute(
            "BEGIN; DELETE FROM reading WHERE ts = (SELECT max(ts) FROM reading); \
             UPDATE stream_offset SET next_offset = 9 WHERE next_offset = 10; COMMIT",
        )
        .await
        .unwrap();
    end_connections(&world).await;
    world.wait_count("SELECT count(*) FROM reading", 10).await;
    world.wait_stored().await;
    sink.stop().await;
}

/// The registration of a meter was lost, or a person took it away: its key must not be written any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meter_that_is_gone_is_registered_anew() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 10);
    world.wait_stored().await;
    world.owner.batch_execute("DELETE FROM meter").await.unwrap();
    send(&world, 10, 20);
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading JOIN meter USING (meter_key)").await, 10);
    sink.stop().await;
}

/// A number of partitions that has grown puts a meter's records into two of them: all stop, also after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_of_partitions_stops_the_topic() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    send(&world, 0, 10);
    world.wait_stored().await;
    world.kafka.grow(&world.kafka.readings, 6).await;
    sink.not_ready("the topic had 4 partitions and has 6").await;
    sink.stop().await;
    let sink = world.start(world.config());
    sink.not_ready("the topic had 4 partitions and has 6").await;
    let said = sink.context.ready.missing().join(" ");
    assert!(world.obey(&said).await.contains("for its present number of partitions"), "{said}");
    sink.ready().await.stop().await;
}

/// After ten records; Kafka then lost them.
async fn as_if_three_more_were_stored(world: &World) {
    world
        .owner
        .batch_execute(
            "BEGIN; UPDATE stream_offset SET next_offset = 13, mark_offset = 12, mark_ms = mark_ms + 1 \
             WHERE next_offset = 10; \
             UPDATE sink_outcome SET next_offset = 13, stored = 13 WHERE next_offset = 10; COMMIT",
        )
        .await
        .unwrap();
}

async fn end_connections(world: &World) {
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = current_database() AND usename = 'wattline_sink'";
    assert!(world.count(ended).await > 0);
}

fn send(world: &World, from: i64, to: i64) {
    let readings: Vec<Reading> = (from..to).map(|second| reading(&meter(METER), second, 1.0)).collect();
    world.kafka.send(&readings);
}
