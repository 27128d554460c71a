//! Each reading is stored once, with its values, whatever ends when.

use std::time::Duration;

use rand::RngExt as _;
use wattline_localstack::Port;

use crate::world::{Stream, World, start_process};

/// The sink ends at random moments, in the middle of whatever it does; at others its connections are ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_ends_anywhere_loses_and_doubles_nothing() {
    let world = World::new().await;
    let stream = Stream::start(&world, 2000);
    for round in 0..6 {
        let sink = world.start(world.config());
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..1500))).await;
        if round % 2 == 0 {
            world.end_connections().await;
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..300))).await;
        }
        sink.kill().await;
    }
    let sent = stream.stop();
    let sink = world.start(world.config()).ready().await;
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    sink.stop().await;
}

/// The same with `kill -9` of a process that is a static member of its group.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_and_doubles_nothing() {
    let world = World::new().await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let port = Port::choose(None).unwrap();
    let mut config = world.config();
    config.kafka.instance_id = Some("sink-0".to_owned());
    config.service.admin_listen = port.address();
    let stream = Stream::start(&world, 2000);
    let process = start_process(&config, log.path());
    for _ in 0..4 {
        process.wait_ready().await.unwrap();
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..500))).await;
        process.kill().await.unwrap();
        process.start_again().unwrap();
    }
    let sent = stream.stop();
    world.wait_stored().await;
    world.check_stored_once(sent).await;
    process.stop().await.unwrap();
}
