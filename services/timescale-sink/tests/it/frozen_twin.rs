//! A sink that is frozen in the middle of a COPY holds the lock of its offset rows, and no timeout of the server ends
//! that: a COPY that waits for its client is not idle, and the statement's time does not run while it waits.

use std::time::Duration;

use wattline_localstack::{Port, ServiceProcess};
use wattline_reading::{Phase, Reading};

use crate::world::{World, meter, reading, start_process};

/// Enough that the client is still sending when the server already reads.
const READINGS: usize = 120_000;

/// The group gives the partitions of the frozen one to another; that one ends the connection that blocks it, stores
/// everything, and the first one, thawed later, doubles nothing.
///
/// Seen to fail without the guard: with `Blockers::freed` waiting for its work alone, the second sink meets 55P03 for
/// ever and `wait_stored` gives up after its minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_frozen_inside_a_copy_does_not_hold_the_partition() {
    let world = World::new().await;
    let readings: Vec<Reading> = (0..READINGS).map(three_phases).collect();
    world.kafka.send(&readings);
    let log = tempfile::NamedTempFile::new().unwrap();
    let port = Port::choose(None).unwrap();
    let mut config = world.config();
    config.batch.writers = 1;
    config.batch.rows_max = 100_000;
    config.batch.bytes_max = 64 * 1024 * 1024;
    config.batch.linger_ms = 1000;
    config.service.admin_listen = port.address();
    let frozen = start_process(&config, log.path());
    let backend = freeze_inside_copy(&world, &frozen).await;

    let other = world.start(world.config());
    world.wait_stored().await;
    assert_eq!(world.count("SELECT count(*) FROM reading").await, i64::try_from(READINGS).unwrap());
    let still_there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}");
    assert_eq!(world.count(&still_there).await, 0, "the frozen one's connection was ended");

    frozen.thaw().await.unwrap();
    let late: Vec<Reading> = (READINGS..READINGS + 2000).map(three_phases).collect();
    world.kafka.send(&late);
    frozen.wait_ready().await.unwrap();
    world.wait_stored().await;
    let totals = world.readings().await;
    assert_eq!((totals.stored, totals.duplicate), (i64::try_from(READINGS).unwrap() + 2000, 0));
    assert_eq!(world.count("SELECT count(*) FROM reading").await, totals.stored);
    frozen.stop().await.unwrap();
    other.stop().await;
}

/// Freezes the process when the server waits for more of its COPY; gives the server's process.
async fn freeze_inside_copy(world: &World, process: &ServiceProcess) -> i64 {
    let inside = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity WHERE datname = current_database() AND \
        usename = 'wattline_sink' AND state = 'active' AND query LIKE 'COPY reading %' AND wait_event = 'ClientRead'";
    let begun = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
        usename = 'wattline_sink' AND query LIKE 'COPY reading %'";
    for _ in 0..2000 {
        if world.count(begun).await > 0 {
            process.freeze().await.unwrap();
            // The server works off what was sent before.
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let backend = world.count(inside).await;
                if backend > 0 {
                    return backend;
                }
            }
            process.thaw().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the sink was never seen inside a COPY; the end of its log:\n{}", process.log_tail(20));
}

fn three_phases(number: usize) -> Reading {
    let seconds = i64::try_from(number / 1000).unwrap();
    let mut reading = reading(&meter(number % 1000), seconds, 3.0);
    let phase = Phase { power_w: Some(1.0), voltage_v: Some(230.0), current_a: Some(0.5) };
    reading.measures.phases = vec![phase; 3];
    reading
}
