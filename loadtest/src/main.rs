//! `wattline-loadtest`: simulated meters, the load test of a running stack, and its reports.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use wattline_loadtest::publish::Broker;
use wattline_loadtest::report::Report;
use wattline_loadtest::scenario::Scenario;
use wattline_loadtest::street::{self, StreetOptions};
use wattline_loadtest::target::{Target, read_password};
use wattline_loadtest::{run, sink};
use wattline_reading::Timestamp;

#[derive(Parser)]
#[command(about = "Simulated meters and the load test", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A street of simulated homes in real time, until it is stopped.
    Street(StreetArguments),
    /// Publish readings to a running stack, check that each is stored once with its values, and report.
    Run(RunArguments),
    /// Measure the sink of a running stack alone, from a filled topic. The stack must be idle.
    Sink(RunArguments),
}

#[derive(Args)]
struct StreetArguments {
    /// The broker, as in mqtt://127.0.0.1:1883.
    #[arg(long)]
    mqtt: String,
    /// The broker's user.
    #[arg(long, requires = "password_file")]
    username: Option<String>,
    /// File with its password.
    #[arg(long, requires = "username")]
    password_file: Option<PathBuf>,
    /// How many homes: home-01 and so on.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1000))]
    homes: u32,
    /// Seconds from one reading to the next.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(i64).range(1..=60))]
    interval_s: i64,
    /// How many hours of buffered readings the meters send first.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=168))]
    history_h: i64,
    /// Another seed is another street.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct RunArguments {
    /// The file that `wattline-stack up --json` wrote.
    #[arg(long)]
    stack: PathBuf,
    /// A case of loadtest/scenarios; the options below go before it.
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// How many meters.
    #[arg(long)]
    meters: Option<u32>,
    /// How many readings of each.
    #[arg(long)]
    readings: Option<u32>,
    /// Messages per second; as fast as possible without it.
    #[arg(long)]
    rate: Option<f64>,
    /// MQTT connections.
    #[arg(long)]
    connections: Option<u32>,
    /// Another seed is another world.
    #[arg(long)]
    seed: Option<u64>,
    /// The broker's user, where the stack's file names none.
    #[arg(long, requires = "password_file")]
    username: Option<String>,
    /// File with its password.
    #[arg(long, requires = "username")]
    password_file: Option<PathBuf>,
    /// Folder for the report.
    #[arg(long, default_value = "loadtest/reports")]
    report: PathBuf,
    /// The report's name; the scenario's by default.
    #[arg(long)]
    name: Option<String>,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    match tokio::runtime::Runtime::new()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(execute(arguments.command)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Street(arguments) => {
            let credentials = credentials(arguments.username, arguments.password_file.as_deref())?;
            let options = StreetOptions {
                homes: arguments.homes,
                interval_ms: arguments.interval_s * 1000,
                history_ms: arguments.history_h * 3_600_000,
                seed: arguments.seed,
            };
            street::run(Broker::parse(&arguments.mqtt, credentials)?, options, stop_on_signal()?).await
        }
        Command::Run(arguments) => {
            let (target, scenario) = arguments.resolve()?;
            let report = stoppable(run::run(&target, &scenario, Timestamp::now())).await?;
            arguments.finish(&report, "run")
        }
        Command::Sink(arguments) => {
            let (target, scenario) = arguments.resolve()?;
            let report = stoppable(sink::run(&target, &scenario, Timestamp::now())).await?;
            arguments.finish(&report, "sink")
        }
    }
}

// === impl RunArguments ===

impl RunArguments {
    fn resolve(&self) -> anyhow::Result<(Target, Scenario)> {
        let mut scenario = match &self.scenario {
            Some(path) => Scenario::read(path)?,
            None => Scenario::default(),
        };
        scenario.meters = self.meters.unwrap_or(scenario.meters);
        scenario.readings = self.readings.unwrap_or(scenario.readings);
        scenario.rate = self.rate.or(scenario.rate);
        scenario.connections = self.connections.unwrap_or(scenario.connections);
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        scenario.check()?;
        let credentials = credentials(self.username.clone(), self.password_file.as_deref())?;
        Ok((Target::read(&self.stack, credentials)?, scenario))
    }

    fn finish(&self, report: &Report, command: &str) -> anyhow::Result<()> {
        let scenario = self
            .scenario
            .as_deref()
            .and_then(Path::file_stem)
            .map(|stem| stem.to_string_lossy().into_owned());
        let name = match (&self.name, scenario) {
            (Some(name), _) => name.clone(),
            (None, Some(scenario)) => format!("{command}-{scenario}"),
            (None, None) => command.to_owned(),
        };
        let path = report.save(&self.report, &name)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}\nSaved as {} and .json", report.markdown(), path.display())
            .context("printing the report")
    }
}

fn credentials(
    username: Option<String>,
    password_file: Option<&Path>,
) -> anyhow::Result<Option<(String, String)>> {
    match (username, password_file) {
        (Some(username), Some(file)) => Ok(Some((username, read_password(file)?))),
        _ => Ok(None),
    }
}

/// Ends early on Ctrl-C or SIGTERM: what was begun is dropped, which thaws what was frozen.
async fn stoppable(work: impl Future<Output = anyhow::Result<Report>>) -> anyhow::Result<Report> {
    let stop = stop_on_signal()?;
    tokio::select! {
        report = work => report,
        () = stop.cancelled() => bail!("stopped before the end: nothing was checked"),
    }
}

fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(stop)
}
