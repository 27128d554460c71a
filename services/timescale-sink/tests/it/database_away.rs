//! While the database is away nothing is lost, nothing is dead-lettered, and the group keeps its partitions.

use std::time::Duration;

use wattline_localstack::Proxy;

use crate::world::{Stream, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_cut_off_or_silent_is_waited_for() {
    let world = World::new().await;
    let address = world.stack.timescale().address();
    let proxy = Proxy::start(address).await.unwrap();
    let mut config = world.config();
    config.database.url = config.database.url.replace(&address.to_string(), &proxy.addr().to_string());
    config.database.connect_timeout_ms = 1000;
    config.store.flush_timeout_ms = 1000;
    // Small batches: they are full long before the database is back.
    config.batch.rows_max = 200;
    let sink = world.start(config).ready().await;
    let stream = Stream::start(&world, 2000);
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.cut();
    sink.not_ready("database").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.restore();
    let sink = sink.ready().await;
    proxy.blackhole();
    sink.not_ready("did not finish").await;
    proxy.restore();
    let sent = stream.stop();
    let sink = sink.ready().await;
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    assert_eq!(world.count("SELECT count(*) FROM dead_letter").await, 0);
    sink.stop().await;
}
