//! What every Wattline service does once: configuration, logs, metrics, health, shutdown, and its clients of
//! Kafka and PostgreSQL.
//!
//! A service's `main` is one call of [`start`]; tests call the service's `run` with a [`Context`] of their own.

pub mod admin;
pub mod backoff;
pub mod budget;
pub mod config;
pub mod kafka;
pub mod lag;
pub mod logs;
pub mod metrics;
pub mod mqtt;
pub mod postgres;
pub mod process;
pub mod ready;
pub mod secret;
pub mod tls;
pub mod traces;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

pub use backoff::Backoff;
pub use budget::Budget;
pub use config::{ConnectionCheck, ServiceConfig, ServiceSettings};
pub use kafka::{KafkaSettings, TopicIdentity};
pub use lag::LagClock;
pub use metrics::Metrics;
pub use postgres::DatabaseSettings;
pub use ready::{Condition, Ready};
pub use traces::TraceSettings;

/// Exit code of a configuration that can't be used (`EX_USAGE` of sysexits).
pub const EXIT_CONFIGURATION: u8 = 64;

/// How long the end may take for the last traces.
const TRACES_STOP: Duration = Duration::from_secs(2);

/// What a service is given besides its configuration.
#[derive(Clone, Debug)]
pub struct Context {
    /// The service's name, as in `mqtt-ingest`.
    pub name: &'static str,
    /// Where it registers its metrics.
    pub metrics: Metrics,
    /// Where it says what it still needs before it can finish work.
    pub ready: Ready,
    /// Cancelled when the service shall stop.
    pub shutdown: CancellationToken,
}

#[derive(Parser)]
struct Arguments {
    /// Configuration file (TOML). The environment goes before it: `WATTLINE__KAFKA__BROKERS` is `brokers` of `[kafka]`.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Check the configuration, try each connection once where the service can do that, say what is wrong, and stop.
    /// `--check=offline` connects to nothing.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "connections")]
    check: Option<Check>,
    /// Print a configuration file with every setting, its explanation and its default, and stop.
    #[arg(long)]
    sample: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Check {
    /// The configuration and each connection.
    Connections,
    /// The configuration alone.
    Offline,
}

/// Runs a service from its command line to its end: reads the configuration, starts logs, metrics and the
/// admin server, calls `run`, and on SIGTERM or SIGINT waits for it at most the configured deadline.
pub fn start<C, F, R>(name: &'static str, run: F) -> ExitCode
where
    C: config::Sample,
    F: FnOnce(C, Context) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let arguments = Arguments::parse();
    if arguments.sample {
        return print_sample::<C>(name);
    }
    let config = match config::load::<C>(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return refuse(name, &error),
    };
    if let Some(how) = arguments.check {
        return check(name, &config, how);
    }
    let settings = config.service().clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.worker_threads)
        .enable_all()
        .build()
        .context("cannot start the runtime");
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(name, &error),
    };
    let traces = traces::start(config.traces(), name, runtime.handle().clone());
    let traces = match traces.and_then(|traces| logs::start(&settings, traces.as_ref()).map(|()| traces)) {
        Ok(traces) => traces,
        Err(error) => return refuse(name, &error),
    };
    let outcome = runtime.block_on(serve(name, config, &settings, run));
    if let Some(traces) = traces {
        traces.stop(TRACES_STOP);
    }
    // A blocking call of a client library must not hold the exit up.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match outcome {
        Ok(()) => {
            info!("{name} has stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(error = format!("{error:#}"), "{name} ends: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_sample<C: config::Sample>(name: &str) -> ExitCode {
    match config::sample::<C>() {
        Ok(sample) => {
            say(sample.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => refuse(name, &error),
    }
}

/// One line for each connection; success only if all are good.
fn check<C: ServiceConfig>(name: &str, config: &C, how: Check) -> ExitCode {
    say(&format!("{name}: the configuration is valid"));
    if how == Check::Offline {
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(name, &error.into()),
    };
    let checks = runtime.block_on(config.check_connections());
    // A blocking call of a client library must not hold the exit up.
    runtime.shutdown_timeout(Duration::from_millis(500));
    for ConnectionCheck { connection, good, words } in &checks {
        let verdict = if *good { "good" } else { "FAILED" };
        say(&format!("{name}: {connection}: {verdict}: {words}"));
    }
    if checks.iter().all(|check| check.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn serve<C, F, R>(
    name: &'static str,
    config: C,
    settings: &ServiceSettings,
    run: F,
) -> anyhow::Result<()>
where
    C: ServiceConfig,
    F: FnOnce(C, Context) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let context = Context::new(name);
    let admin = admin::bind(settings.admin_listen, &context).await?;
    info!(
        admin = %admin.address(),
        version = env!("CARGO_PKG_VERSION"),
        "{name} starts, admin on http://{}",
        admin.address()
    );
    let admin = tokio::spawn(admin.serve());
    let signals = tokio::spawn(cancel_on_signal(name, context.shutdown.clone())?);
    let shutdown = context.shutdown.clone();
    let running = run(config, context);
    tokio::pin!(running);
    let outcome = tokio::select! {
        outcome = &mut running => outcome,
        () = shutdown.cancelled() => {
            let deadline = Duration::from_millis(settings.stop_deadline_ms);
            tokio::time::timeout(deadline, running)
                .await
                .unwrap_or_else(|_| Err(anyhow::anyhow!("{name} did not stop within {deadline:?}")))
        }
    };
    shutdown.cancel();
    signals.abort();
    admin.abort();
    outcome
}

/// The first signal asks for a stop; the second does not wait for it.
fn cancel_on_signal(
    name: &'static str,
    shutdown: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        for times in 1.. {
            let signal = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if times == 2 {
                error!("{name} got a second signal ({signal}): it ends at once");
                #[expect(clippy::disallowed_methods, reason = "the operator asked twice")]
                std::process::exit(130);
            }
            info!("{name} got {signal}: it finishes what it has and stops");
            shutdown.cancel();
        }
    })
}

#[expect(clippy::print_stderr, reason = "logs are not there yet, or not configured")]
fn refuse(name: &str, error: &anyhow::Error) -> ExitCode {
    eprintln!("{name}: {error:#}");
    ExitCode::from(EXIT_CONFIGURATION)
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}

// === impl Context ===

impl Context {
    /// A fresh context, for one run of a service.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            metrics: Metrics::new(name),
            ready: Ready::default(),
            shutdown: CancellationToken::new(),
        }
    }
}
