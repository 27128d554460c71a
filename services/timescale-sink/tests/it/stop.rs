//! A stop writes what there is, tells the group how far it came, and keeps its deadline.

use std::time::Duration;

use wattline_localstack::Proxy;

use crate::world::{Stream, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_the_group_has_the_offsets_of_the_database() {
    let world = World::new().await;
    let config = world.config();
    let group = config.input.group.clone();
    let sink = world.start(config).ready().await;
    let stream = Stream::start(&world, 2000);
    world.wait_count("SELECT (sum(stored) > 500)::int::bigint FROM sink_outcome", 1).await;
    sink.stop().await;
    stream.stop();
    let stored = world.next_offsets(&world.kafka.readings).await;
    assert_eq!(world.kafka.committed(&group, &world.kafka.readings), stored);
    world.check_equation(&world.kafka.readings).await;
}

/// What can't be written any more is read again after the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_database_that_is_away() {
    let world = World::new().await;
    let address = world.stack.timescale().address();
    let proxy = Proxy::start(address).await.unwrap();
    let mut config = world.config();
    config.database.url = config.database.url.replace(&address.to_string(), &proxy.addr().to_string());
    config.store.flush_timeout_ms = 1000;
    let sink = world.start(config).ready().await;
    let stream = Stream::start(&world, 1000);
    proxy.cut();
    sink.not_ready("database").await;
    tokio::time::timeout(Duration::from_secs(20), sink.stop()).await.unwrap();
    let sent = stream.stop();
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    sink.stop().await;
}
