//! Only who holds an offset row of ours is ended: not a sibling of the same role that is merely at work.

use std::time::Duration;

use wattline_service::DatabaseSettings;

use crate::world::{World, meter, reading};

/// A writer that makes a new chunk holds a lock of the hypertable until its commit, and others wait for it.
///
/// Without the look at what is waited for, the sibling's connection is ended after the grace of a twin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sibling_that_holds_no_offset_row_is_not_ended() {
    let world = World::new().await;
    let sink = world.start(world.config()).ready().await;
    let url = world.stack.database_url_of(&world.database, "wattline_sink");
    let settings = DatabaseSettings { url, ..DatabaseSettings::default() };
    let sibling = settings.connect("sibling").await.unwrap();
    sibling.batch_execute("BEGIN; LOCK TABLE reading IN SHARE MODE").await.unwrap();
    world.kafka.send(&[reading(&meter(0), 0, 1.0)]);
    sink.not_ready("55P03").await;
    // Longer than the timeout of a lock and the grace that a twin gets.
    tokio::time::sleep(Duration::from_secs(4)).await;
    sibling.batch_execute("COMMIT").await.expect("the sibling is still connected");
    let sink = sink.ready().await;
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, 1);
    sink.stop().await;
}
