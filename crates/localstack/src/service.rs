//! One of the four services as a process, as Kubernetes would run it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::child::Child;
use crate::process::Launch;
use crate::watch::{poll_until, wait_http};

/// Longer than the services' own `stop_deadline_ms`.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKind {
    /// MQTT to Kafka.
    MqttIngest,
    /// Kafka to TimescaleDB.
    TimescaleSink,
    /// Readings to energy.
    Aggregator,
    /// GraphQL and the live page.
    QueryApi,
}

impl ServiceKind {
    /// All four, in the order of the data.
    pub const ALL: [Self; 4] = [
        Self::MqttIngest,
        Self::TimescaleSink,
        Self::Aggregator,
        Self::QueryApi,
    ];

    /// As in its configuration file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MqttIngest => "mqtt-ingest",
            Self::TimescaleSink => "timescale-sink",
            Self::Aggregator => "aggregator",
            Self::QueryApi => "query-api",
        }
    }

    /// Its executable's name.
    #[must_use]
    pub fn binary(self) -> String {
        format!("wattline-{}", self.name())
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A service's process: it can be stopped, killed, frozen and started again with the same settings.
#[derive(Debug)]
pub struct ServiceProcess {
    kind: ServiceKind,
    child: Child,
    launch: Launch,
    admin_url: String,
}

impl ServiceProcess {
    /// Starts the service that lies in `bin_dir`, with `environment` (see [`crate::Stack::service_env`]; of two
    /// values for one name the later counts), its output appended to `log_file`. Returns before it is ready.
    pub fn start(
        kind: ServiceKind,
        bin_dir: &Path,
        environment: &[(String, String)],
        log_file: impl Into<PathBuf>,
    ) -> Result<Self> {
        const ADMIN: &str = "WATTLINE__SERVICE__ADMIN_LISTEN";
        let program = bin_dir.join(kind.binary());
        ensure!(
            program.exists(),
            "{} is missing: cargo build --release",
            program.display()
        );
        let admin = environment.iter().rev().find(|(name, _)| name == ADMIN);
        let (_, admin) = admin.with_context(|| format!("the environment of {kind} lacks {ADMIN}"))?;
        let mut launch = Launch::new(program, log_file);
        launch.environment = environment.to_vec();
        launch.signal_on_orphaned = Signal::SIGTERM;
        let service = Self {
            kind,
            child: Child::new(kind.name()),
            launch,
            admin_url: format!("http://{admin}"),
        };
        service.child.spawn(&service.launch)?;
        Ok(service)
    }

    /// Which service it is.
    #[must_use]
    pub fn kind(&self) -> ServiceKind {
        self.kind
    }

    /// Base of `/livez`, `/readyz` and `/metrics`, without a slash at the end.
    #[must_use]
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// Its standard output and error.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.launch.log_file
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.child.running().map(|process| process.pid())
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child.newest()?.exit_status()
    }

    /// SIGTERM, and waits for the end; an error when it must be killed after all.
    pub async fn stop(&self) -> Result<()> {
        self.child.stop(Signal::SIGTERM, STOP_DEADLINE).await
    }

    /// `kill -9`.
    pub async fn kill(&self) -> Result<()> {
        self.child.kill().await
    }

    /// SIGSTOP.
    pub async fn freeze(&self) -> Result<()> {
        self.child.signal_tree(Signal::SIGSTOP)
    }

    /// SIGCONT.
    pub async fn thaw(&self) -> Result<()> {
        self.child.signal_tree(Signal::SIGCONT)
    }

    /// Starts it again after its end; does nothing while it runs. Returns before it is ready.
    pub fn start_again(&self) -> Result<()> {
        self.child.spawn(&self.launch)
    }

    /// Stop, start, ready.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start_again()?;
        self.wait_ready().await
    }

    /// Waits until `/readyz` answers 200; an error at once when the process has ended.
    pub async fn wait_ready(&self) -> Result<()> {
        let url = format!("{}/readyz", self.admin_url);
        let what = format!("{url} of {}", self.kind);
        let ready = poll_until(&what, READY_DEADLINE, Duration::from_millis(50), async || {
            self.child.ensure_running(&self.launch)?;
            Ok(wait_http(&url, Duration::ZERO).await.ok())
        });
        ready
            .await
            .with_context(|| format!("the end of its log:\n{}", self.launch.log_tail(15)))?;
        Ok(())
    }

    /// Waits until the process has ended, and says how.
    pub async fn wait_ended(&self) -> Result<ExitStatus> {
        let process = self.child.newest().context("never started")?;
        process.wait().await
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        wait_http(&format!("{}/metrics", self.admin_url), Duration::from_secs(5)).await
    }
}
