//! `wattline-stack up`

mod running;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use tracing::info;
use wattline_localstack::{KafkaTuning, Stack, StackOptions};

use crate::lifetime::Lifetime;
use crate::report;
use running::Running;

/// Options of `up`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder for all data and logs; it may hold the stack of an earlier run.
    #[arg(long)]
    dir: PathBuf,
    /// Start the four services too, on a migrated database and with the topics created.
    #[arg(long)]
    services: bool,
    /// So many simulated homes send readings; needs --services.
    #[arg(long, default_value_t = 0, value_name = "N")]
    homes: u32,
    /// Where to write addresses and process ids once all is ready.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Replicas of mqtt-ingest.
    #[arg(long, default_value_t = 1, value_name = "N")]
    ingests: u16,
    /// Replicas of timescale-sink.
    #[arg(long, default_value_t = 1, value_name = "N")]
    sinks: u16,
    /// Replicas of aggregator.
    #[arg(long, default_value_t = 1, value_name = "N")]
    aggregators: u16,
    /// One Kafka broker, or three.
    #[arg(long, default_value_t = 1, value_name = "N")]
    kafka_brokers: u16,
    /// What Kafka's virtual machine is tuned for.
    #[arg(long, value_enum, default_value_t = Tuning::Throughput)]
    kafka_tuning: Tuning,
    /// Seconds from one save of Mosquitto's sessions and queues to the next; each writes all of them.
    #[arg(long, default_value_t = 1, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    broker_save_s: u32,
    /// Port of the live page and the GraphQL API; any free one unless told, as for the next three.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Mosquitto's port.
    #[arg(long, value_name = "PORT")]
    mqtt_port: Option<u16>,
    /// The first Kafka broker's port.
    #[arg(long, value_name = "PORT")]
    kafka_port: Option<u16>,
    /// PostgreSQL's port.
    #[arg(long, value_name = "PORT")]
    database_port: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tuning {
    FastStart,
    Throughput,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    ensure!(options.homes == 0 || options.services, "--homes needs --services");
    let mut lifetime = Lifetime::begin()?;
    if let Some(file) = &options.json {
        report::remove(file)?;
    }
    let started = tokio::select! {
        started = start(&options) => Some(started?),
        reason = lifetime.ended() => {
            info!("stopping before all was ready: {reason}");
            None
        }
    };
    let Some(mut running) = started else { return Ok(()) };
    if let Some(file) = &options.json {
        running.report().write(file)?;
    }
    announce(&running, &options);
    let reason = tokio::select! {
        reason = lifetime.ended() => reason,
        failed = keep_reporting(&mut running, options.json.as_deref()) => return failed,
    };
    info!("stopping: {reason}");
    if let Some(file) = &options.json {
        report::remove(file)?;
    }
    tokio::select! {
        stopped = running.stop() => stopped,
        // What still runs is killed when it is dropped.
        again = lifetime.asked() => {
            info!("not waiting any longer: {again}");
            Ok(())
        }
    }
}

async fn start(options: &Options) -> Result<Running> {
    info!("starting Mosquitto, Kafka and TimescaleDB in {}", options.dir.display());
    let stack = Stack::start(options.stack()).await?;
    let mut running = Running::new(stack, options.broker_save_s);
    running.supervise_servers();
    if options.services {
        let own = std::env::current_exe().context("cannot find this program's folder")?;
        let bin_dir = own.parent().context("this program has no folder")?;
        running.prepare(bin_dir, options.kafka_brokers).await?;
        running.start_services(bin_dir, options).await?;
        if options.homes > 0 {
            running.start_street(bin_dir, options.homes)?;
        }
    }
    Ok(running)
}

/// Writes the report again whenever a process was started again. Returns only when that fails.
async fn keep_reporting(running: &mut Running, file: Option<&Path>) -> Result<()> {
    loop {
        running.changed().await;
        if let Some(file) = file {
            running.report().write(file)?;
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command speaks to its user")]
fn announce(running: &Running, options: &Options) {
    let report = running.report();
    println!("MQTT      {}", report.mqtt);
    println!("Kafka     {}", report.kafka);
    println!("Database  {}", report.database);
    if let (Some(graphql), Some(live_page)) = (&report.graphql, &report.live_page) {
        println!("GraphQL   {graphql}");
        println!("Logs      {}", options.dir.join("logs").display());
        println!("\nReady. The live page: {live_page}");
    } else {
        println!("Logs      {}\n\nReady.", options.dir.join("logs").display());
    }
    println!("Ctrl-C stops everything.");
}

impl Options {
    fn stack(&self) -> StackOptions {
        let mut stack = StackOptions::new()
            .dir(&self.dir)
            .kafka_brokers(self.kafka_brokers)
            .broker_save_s(self.broker_save_s);
        stack = stack.kafka_tuning(match self.kafka_tuning {
            Tuning::FastStart => KafkaTuning::FastStart,
            Tuning::Throughput => KafkaTuning::Throughput,
        });
        if let Some(port) = self.http_port {
            stack = stack.http_port(port);
        }
        if let Some(port) = self.mqtt_port {
            stack = stack.mqtt_port(port);
        }
        if let Some(port) = self.kafka_port {
            stack = stack.kafka_port(port);
        }
        if let Some(port) = self.database_port {
            stack = stack.database_port(port);
        }
        stack
    }
}
