//! Sinks share the partitions; adding and removing one loses and doubles nothing.

use std::time::Duration;

use crate::world::{PARTITIONS, Stream, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sinks_that_come_and_go_share_the_work() {
    let world = World::new().await;
    let stream = Stream::start(&world, 2000);
    let first = world.start(world.config()).ready().await;
    let second = world.start(world.config()).ready().await;
    // Four writers and four partitions: each has one, and each has written.
    let owners = "SELECT count(DISTINCT owner) FROM stream_offset JOIN sink_outcome o USING (topic, partition) \
            WHERE topic LIKE 'readings%' AND o.stored > 0";
    world.wait_count(owners, i64::from(PARTITIONS)).await;
    first.stop().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let third = world.start(world.config()).ready().await;
    // Without a farewell: its partitions are the others' after the session timeout.
    second.kill().await;
    let sent = stream.stop();
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    third.stop().await;
}
