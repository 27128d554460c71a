//! A sink of the version before keeps its counters in `stream_offset`. Beside this version both tables must say the same,
//! whoever wrote last.

use uuid::Uuid;

use crate::world::{World, meter, reading};

/// What it sends when it takes a partition, one record of which is lost, and when a batch of three is written.
const CREATE: &str = "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner, \
    cluster_id, topic_id) VALUES ('timescale-sink', $1, $2, 0, 0, $3, 'c', 't') ON CONFLICT DO NOTHING";
const CLAIM: &str = "UPDATE stream_offset SET owner = $3, next_offset = next_offset + 1, lost = lost + 1, \
    updated_at = now() WHERE consumer = 'timescale-sink' AND topic = $1 AND partition = $2";
const ADVANCE: &str = "UPDATE stream_offset SET next_offset = next_offset + 3, stored = stored + 2, \
    duplicate = duplicate + 1, possible_duplicate = possible_duplicate + 1, updated_at = now() \
    WHERE consumer = 'timescale-sink' AND topic = $1 AND partition = $2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_count_in_both_tables() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    world.kafka.send(&[reading(&meter(0), 0, 1.0)]);
    world.wait_stored().await;
    sink.stop().await;
    let topic = &world.kafka.readings;
    let stored = "SELECT partition FROM sink_outcome WHERE stored = 1";
    let partition: i32 = world.owner.query_one(stored, &[]).await.unwrap().get(0);

    // A partition that this version wrote before, and a new one.
    for number in [partition, 77] {
        for statement in [CREATE, CLAIM] {
            world.owner.execute(statement, &[&topic, &number, &Uuid::nil()]).await.unwrap();
        }
        world.owner.execute(ADVANCE, &[&topic, &number]).await.unwrap();
    }
    let differ = "SELECT count(*) FROM stream_offset s FULL JOIN sink_outcome o USING (consumer, topic, partition) \
        WHERE (s.first_offset, s.next_offset, s.stored, s.merged, s.duplicate, s.conflict, s.dead_lettered, s.lost, \
        s.possible_duplicate) IS DISTINCT FROM (o.first_offset, o.next_offset, o.stored, o.merged, o.duplicate, \
        o.conflict, o.dead_lettered, o.lost, o.possible_duplicate)";
    assert_eq!(world.count(differ).await, 0);
    assert_eq!(world.count("SELECT sum(stored)::bigint FROM sink_outcome").await, 5);

    // Outcomes that are not as many as the records are refused from either version.
    let refused =
        world.owner.execute("UPDATE stream_offset SET stored = stored + 1 WHERE stored > 0", &[]).await;
    assert_eq!(refused.unwrap_err().code().unwrap().code(), "23514");
    let refused =
        world.owner.execute("UPDATE stream_offset SET next_offset = 99 WHERE partition = 77", &[]).await;
    assert!(
        refused.unwrap_err().as_db_error().unwrap().message().contains("does not account for all records")
    );
    world.owner.batch_execute("DELETE FROM stream_offset").await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM sink_outcome").await, 0);
}
