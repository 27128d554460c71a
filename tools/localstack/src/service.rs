//! One of the four services as a process, as Kubernetes would run it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use strum::{IntoStaticStr, VariantArray};

use crate::process::Launch;
use crate::program::Program;
use crate::watch::{poll_until, wait_http};

const READY_DEADLINE: Duration = Duration::from_secs(120);

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
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
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// As in its configuration file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
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
    program: Program,
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
        let mut launch = Launch::new(bin_dir.join(kind.binary()), log_file);
        launch.environment = environment.to_vec();
        Self::start_launch(kind, launch)
    }

    /// The same with a launch of the caller's own, such as one with arguments.
    pub fn start_launch(kind: ServiceKind, mut launch: Launch) -> Result<Self> {
        const ADMIN: &str = "WATTLINE__SERVICE__ADMIN_LISTEN";
        ensure!(launch.program.exists(), "{} is missing: cargo build --release", launch.program.display());
        let admin = launch.environment.iter().rev().find(|(name, _)| name == ADMIN);
        let (_, admin) = admin.with_context(|| format!("the environment of {kind} lacks {ADMIN}"))?;
        let admin_url = format!("http://{admin}");
        launch.signal_on_orphaned = Signal::SIGTERM;
        Ok(Self { kind, program: Program::start(kind.name(), launch)?, admin_url })
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
        self.program.log_file()
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.program.pid()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.program.exit_status()
    }

    /// SIGTERM, and waits for the end; an error when it had to be killed after 30 s, longer than its own deadline.
    pub async fn stop(&self) -> Result<()> {
        self.program.stop().await
    }

    /// `kill -9`.
    pub async fn kill(&self) -> Result<()> {
        self.program.kill().await
    }

    /// SIGSTOP.
    pub async fn freeze(&self) -> Result<()> {
        self.program.freeze().await
    }

    /// SIGCONT.
    pub async fn thaw(&self) -> Result<()> {
        self.program.thaw().await
    }

    /// Starts it again after its end; does nothing while it runs. Returns before it is ready.
    pub fn start_again(&self) -> Result<()> {
        self.program.start_again()
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
            self.program.ensure_running()?;
            Ok(wait_http(&url, Duration::ZERO).await.ok())
        });
        ready.await.with_context(|| format!("the end of its log:\n{}", self.program.log_tail(15)))?;
        Ok(())
    }

    /// Whether `/readyz` answers 200 now.
    pub async fn is_ready(&self) -> bool {
        wait_http(&format!("{}/readyz", self.admin_url), Duration::ZERO).await.is_ok()
    }

    /// The last lines of its log, for an error message.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.program.log_tail(lines)
    }

    /// Waits until the process has ended, and says how.
    pub async fn wait_ended(&self) -> Result<ExitStatus> {
        self.program.wait_ended().await
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        wait_http(&format!("{}/metrics", self.admin_url), Duration::from_secs(5)).await
    }
}
