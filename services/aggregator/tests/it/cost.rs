//! How much CPU a record costs: read and marked while the sink has nothing, then recomputed. Run by hand:
//! `cargo test --release -p wattline-aggregator --test it cost -- --ignored --nocapture`

use std::time::{Duration, Instant};

use wattline_localstack::{ServiceProcess, cpu_time, poll_until};
use wattline_reading::Timestamp;

use crate::scene::{PATIENCE, Scene, reading};

const METERS: i64 = 2_000;
const ROUNDS: i64 = 150;

async fn consumed(process: &ServiceProcess) -> i64 {
    let text = process.metrics().await.unwrap();
    let name = "wattline_aggregator_records_consumed_total ";
    text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and says nothing about right or wrong"]
async fn cpu_of_a_record() {
    let mut scene = Scene::new("cost", 12).await;
    let begin = Timestamp::now().micros() - ROUNDS * 10_000_000;
    for round in 0..ROUNDS {
        let rows = (0..METERS).map(|meter| {
            let ts_us = begin + round * 10_000_000 + meter;
            reading(&format!("home-{meter}/meter"), ts_us, 1_000_000 + round * 1_000, 360.0)
        });
        scene.send(&rows.collect::<Vec<_>>()).await;
    }
    let records = METERS * ROUNDS;
    let defaults = [
        ("INPUT__AHEAD_RECORDS_MAX", "10000000"),
        ("MARKS__LINGER_MS", "1000"),
        ("MARKS__OPEN_REFRESH_MS", "60000"),
        ("RECOMPUTE__POLL_MS", "200"),
        ("RECOMPUTE__ADVANCE_MS", "1000"),
        ("AUDIT__INTERVAL_MS", "0"),
    ];
    let process = scene.start_process(0, &defaults);
    process.wait_ready().await.unwrap();
    let pid = process.pid().unwrap();
    let read = poll_until("the records", PATIENCE, Duration::from_millis(20), async || {
        Ok((consumed(&process).await >= records).then_some(()))
    });
    read.await.unwrap();
    let reading_cpu = cpu_time(pid);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle_cpu = cpu_time(pid) - reading_cpu;

    scene.store().await;
    let (began, before) = (Instant::now(), cpu_time(pid));
    scene.settle().await;
    let (took, computing_cpu) = (began.elapsed(), cpu_time(pid) - before);
    let buckets = scene.number("SELECT count(*) FROM energy_15m").await;
    let per = |cpu: Duration, count: i64| cpu.as_secs_f64() * 1e6 / f64::from(i32::try_from(count).unwrap());
    println!(
        "{records} records of {METERS} meters: {:.2} µs of CPU to read and mark one (start-up included), {} ms in 5 s \
         idle; {buckets} buckets recomputed in {took:.1?}, {:.2} µs of CPU per raw row",
        per(reading_cpu, records),
        idle_cpu.as_millis(),
        per(computing_cpu, records)
    );
    let rss = wattline_localstack::rss_bytes(pid) / 1_048_576;
    println!("{rss} MiB resident");
    process.stop().await.unwrap();
}
