//! How fast the sink is from a filled topic: `cargo run --release -p wattline-timescale-sink --example sink_rate`.
//!
//! Starts Kafka and TimescaleDB privately, fills the topic, then runs the sink in this process until everything is
//! stored, and prints rows/s and the CPU time of each process per row. `SINK_RATE_READINGS` (default 1,000,000) and
//! `SINK_RATE_METERS` (default 2,000) choose the size; `SINK_RATE_WRITERS` and `SINK_RATE_ROWS_MAX` the batch.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use wattline_localstack::{KafkaTuning, ServerKind, Stack, StackOptions, cpu_time, descendants, rss_bytes};
use wattline_reading::{Measures, Reading, Timestamp, TsSource, topics, wire};
use wattline_service::Context;
use wattline_timescale_sink::Config;

/// CPU time so far of the processes that share the work.
struct Cpu {
    sink: Duration,
    database: Duration,
    kafka: Duration,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the report")]
async fn main() -> anyhow::Result<()> {
    let readings = number("SINK_RATE_READINGS", 1_000_000)?;
    let meters = number("SINK_RATE_METERS", 2000)?;
    let options = StackOptions::new()
        .servers(&[ServerKind::Kafka, ServerKind::Timescale])
        .kafka_tuning(KafkaTuning::Throughput)
        .durable(true);
    let stack = Stack::start(options).await?;
    wattlinectl::migrate::run(&stack.database_url()).await?;
    wattlinectl::topics::create(&stack.kafka_brokers(), 1).await?;
    let begun = Instant::now();
    fill(&stack.kafka_brokers(), readings, meters)?;
    println!("filled {readings} readings of {meters} meters in {:.1} s", begun.elapsed().as_secs_f64());

    let mut config = Config::default();
    config.kafka.brokers = stack.kafka_brokers();
    config.database.url = stack.database_url_as("wattline_sink");
    config.meters.new_per_minute_max = 10_000_000;
    config.batch.writers = number("SINK_RATE_WRITERS", config.batch.writers)?;
    config.batch.rows_max = number("SINK_RATE_ROWS_MAX", config.batch.rows_max)?;
    let database = config.database.clone();
    let observer = database.connect("sink_rate").await?;
    let stored = "SELECT coalesce(sum(stored), 0)::bigint FROM sink_outcome";

    let before = cpu(&stack);
    let memory_before = rss_bytes(own_pid()?);
    let context = Context::new("timescale-sink");
    let begun = Instant::now();
    let sink = tokio::spawn(wattline_timescale_sink::run(config, context.clone()));
    let wanted = i64::try_from(readings)?;
    let mut first = None;
    loop {
        let count: i64 = observer.query_one(stored, &[]).await?.get(0);
        if count > 0 {
            first.get_or_insert((Instant::now(), count));
        }
        if count == wanted {
            break;
        }
        ensure!(!sink.is_finished(), "the sink has ended");
        ensure!(begun.elapsed() < Duration::from_secs(300), "only {count} of {wanted} rows after 5 min");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (first_at, first_count) = first.context("nothing was stored")?;
    let rate = ratio(wanted - first_count) / first_at.elapsed().as_secs_f64();
    let after = cpu(&stack);
    let per_row = |before: Duration, after: Duration| (after - before).as_secs_f64() * 1e6 / ratio(wanted);
    println!("{rate:.0} rows/s after the first batch, all in {:.2} s", begun.elapsed().as_secs_f64());
    println!(
        "CPU per row: sink {:.2} µs, database {:.2} µs, Kafka {:.2} µs; sink memory +{} MiB",
        per_row(before.sink, after.sink),
        per_row(before.database, after.database),
        per_row(before.kafka, after.kafka),
        rss_bytes(own_pid()?).saturating_sub(memory_before) / 1024 / 1024
    );
    for line in context.metrics.encode()?.lines() {
        if ["write_seconds_", "batches", "batch_records_"].iter().any(|name| line.contains(name))
            && !line.contains("bucket")
            && !line.starts_with('#')
        {
            println!("{line}");
        }
    }
    context.shutdown.cancel();
    sink.await??;
    stack.stop().await
}

fn fill(brokers: &str, readings: usize, meters: usize) -> anyhow::Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("partitioner", topics::PARTITIONER)
        .set("compression.type", "lz4")
        .set("linger.ms", "20")
        .create()?;
    let start = 1_795_168_800_000_000_i64;
    let mut value = Vec::new();
    for number in 0..readings {
        let (meter, round) = (number % meters, i64::try_from(number / meters)?);
        let ts = start + round * 10_000_000 + i64::try_from(meter)?;
        let reading = Reading {
            meter_id: format!("street-{:04}/meter-{meter}", meter / 40),
            ts: Timestamp::from_micros(ts),
            received_at: Timestamp::from_micros(ts + 200_000),
            ts_source: TsSource::Device,
            measures: Measures {
                power_w: Some(ratio(i64::try_from(number % 4000)?) + 0.5),
                energy_import_mwh: Some(1_000_000_000 + round * 1200),
                energy_export_mwh: Some(0),
                voltage_v: Some(230.4),
                current_a: Some(1.9),
                power_factor: Some(0.98),
                frequency_hz: Some(50.0),
                phases: Vec::new(),
            },
            register_epoch: None,
            redelivered: false,
        };
        value.clear();
        wire::encode_reading(&reading, &mut value);
        let mut record = BaseRecord::to(topics::READINGS.name).key(&reading.meter_id).payload(&value);
        while let Err((error, back)) = producer.send(record) {
            ensure!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "{error}");
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60))?;
    Ok(())
}

fn cpu(stack: &Stack) -> Cpu {
    let of = |pid: Option<i32>| {
        let Some(pid) = pid else { return Duration::ZERO };
        descendants(pid).into_iter().chain([pid]).map(cpu_time).sum()
    };
    Cpu {
        sink: own_pid().map_or(Duration::ZERO, cpu_time),
        database: of(stack.timescale().pid()),
        kafka: of(stack.kafka().pid()),
    }
}

fn own_pid() -> anyhow::Result<i32> {
    Ok(i32::try_from(std::process::id())?)
}

fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is {text}, must be a number")),
        Err(_) => Ok(default),
    }
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn ratio(number: i64) -> f64 {
    number as f64
}
