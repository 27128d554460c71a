//! `wattline-loadtest`: simulated meters, the load test of a running stack, and its reports.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use wattline_loadtest::ask::{self, AskOptions};
use wattline_loadtest::collector;
use wattline_loadtest::compare::{self, Figures};
use wattline_loadtest::endure::{self, EndureOptions};
use wattline_loadtest::publish::Broker;
use wattline_loadtest::report::{self, Report};
use wattline_loadtest::run::{self, Way};
use wattline_loadtest::scenario::Scenario;
use wattline_loadtest::street::{self, StreetOptions};
use wattline_loadtest::target::{Target, read_password};
use wattline_loadtest::{idle, sink};
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
    /// The same until Kafka has it all, while whoever reads from Kafka stands still.
    Door(RunArguments),
    /// Publish at a steady rate while somebody makes faults, until `POST /end`; then check that each reading is stored once.
    Endure(EndureArguments),
    /// Measure the sink of a running stack alone, from a filled topic. The stack must be idle.
    Sink(RunArguments),
    /// Measure what each process of a running stack uses while nothing is sent.
    Idle(WatchArguments),
    /// Ask query-api for the meters of the last scenarios.
    Ask(AskArguments),
    /// Take spans by OTLP and throw them away, until it is stopped: for measuring what traces cost.
    Collector(CollectorArguments),
    /// Medians of the reports in two folders, and their ratios.
    Compare(CompareArguments),
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
struct WatchArguments {
    /// The file that `wattline-stack up --json` wrote.
    #[arg(long)]
    stack: PathBuf,
    /// For how long.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Folder for the report.
    #[arg(long, default_value = "loadtest/reports")]
    report: PathBuf,
    /// The report's name; the command's by default.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Args)]
struct AskArguments {
    #[command(flatten)]
    watch: WatchArguments,
    /// How many ask at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    at_once: u32,
}

#[derive(Args)]
struct EndureArguments {
    /// The file that `wattline-stack up --json` wrote, or one with the addresses of servers elsewhere.
    #[arg(long)]
    stack: PathBuf,
    /// How many meters.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    meters: u32,
    /// Messages per second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Another seed is another world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where GET /progress, POST /mark and POST /end are answered.
    #[arg(long, default_value = "0.0.0.0:9500")]
    listen: SocketAddr,
    /// Ends by itself after so long.
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    at_most_s: u64,
    /// How long nothing may move at the end before what is missing counts as lost.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience_s: u64,
}

#[derive(Args)]
struct CollectorArguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:4318")]
    listen: SocketAddr,
}

#[derive(Args)]
struct CompareArguments {
    /// Folder of the older build's reports; `NAME-1`, `NAME-2` … are rounds of one.
    old: PathBuf,
    /// The newer build's.
    new: PathBuf,
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
    /// Fill messages up to so many bytes.
    #[arg(long)]
    payload_bytes: Option<u16>,
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
            street::run(Broker::parse(&arguments.mqtt, credentials, None)?, options, stop_on_signal()?).await
        }
        Command::Run(arguments) => {
            let (target, scenario) = arguments.resolve()?;
            let report = stoppable(run::run(&target, &scenario, Way::Whole, Timestamp::now())).await?;
            arguments.finish(&report, "run")
        }
        Command::Door(arguments) => {
            let (target, scenario) = arguments.resolve()?;
            let report = stoppable(run::run(&target, &scenario, Way::ToKafka, Timestamp::now())).await?;
            arguments.finish(&report, "door")
        }
        Command::Endure(arguments) => arguments.endure().await,
        Command::Sink(arguments) => {
            let (target, scenario) = arguments.resolve()?;
            let report = stoppable(sink::run(&target, &scenario, Timestamp::now())).await?;
            arguments.finish(&report, "sink")
        }
        Command::Idle(arguments) => {
            let target = Target::read(&arguments.stack, None)?;
            let duration = Duration::from_secs(arguments.seconds);
            let report = stoppable(idle::run(&target, duration, Timestamp::now())).await?;
            arguments.finish(&report, &report.date, &report.markdown(), "idle")
        }
        Command::Ask(AskArguments { watch, at_once }) => {
            let target = Target::read(&watch.stack, None)?;
            let options = AskOptions { duration: Duration::from_secs(watch.seconds), at_once };
            let report = stoppable(ask::run(&target, options, Timestamp::now())).await?;
            watch.finish(&report, &report.date, &report.markdown(), "ask")
        }
        Command::Collector(CollectorArguments { listen }) => collector::run(listen, stop_on_signal()?).await,
        Command::Compare(CompareArguments { old, new }) => {
            let text = compare::markdown(&Figures::read(&old)?, &Figures::read(&new)?);
            write!(std::io::stdout().lock(), "{text}").context("printing the comparison")
        }
    }
}

// === impl EndureArguments ===

impl EndureArguments {
    /// One line of JSON on standard output, or an error.
    async fn endure(&self) -> anyhow::Result<()> {
        let target = Target::read(&self.stack, None)?;
        let options = EndureOptions {
            meters: self.meters,
            rate: self.rate,
            seed: self.seed,
            at_most: Duration::from_secs(self.at_most_s),
            patience: Duration::from_secs(self.patience_s),
        };
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.with_context(|| format!("listening at {} (--listen)", self.listen))?;
        let endured = endure::run(&target, options, listener, stop_on_signal()?, Timestamp::now()).await?;
        let line = serde_json::to_string(&endured).context("writing JSON")?;
        writeln!(std::io::stdout().lock(), "{line}").context("printing the result")
    }
}

// === impl WatchArguments ===

impl WatchArguments {
    fn finish(
        &self,
        report: &impl serde::Serialize,
        date: &str,
        markdown: &str,
        command: &str,
    ) -> anyhow::Result<()> {
        let name = self.name.as_deref().unwrap_or(command);
        let path = report::save(report, date, markdown, &self.report, name)?;
        writeln!(std::io::stdout().lock(), "{markdown}\nSaved as {} and .json", path.display())
            .context("printing the report")
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
        scenario.payload_bytes = self.payload_bytes.unwrap_or(scenario.payload_bytes);
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
async fn stoppable<R>(work: impl Future<Output = anyhow::Result<R>>) -> anyhow::Result<R> {
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
