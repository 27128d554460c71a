//! The handle of one server: start, stop, kill, freeze, restart.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use crate::artemis::{Artemis, Haproxy};
use crate::kafka::Kafka;
use crate::leftovers;
use crate::mosquitto::Mosquitto;
use crate::patroni::{Etcd, Patroni};
use crate::program::Program;
use crate::timescale::Timescale;

/// A slow machine with other stacks on it: a cold Kafka took 8 s, so this means "never".
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// One server of a stack.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    program: Program,
}

/// The kinds differ in how they are launched, asked and stopped.
#[derive(Debug)]
pub(crate) enum Kind {
    Mosquitto(Mosquitto),
    Kafka(Box<Kafka>),
    Timescale(Timescale),
    Patroni(Patroni),
    Etcd(Etcd),
    Artemis(Artemis),
    Haproxy(Haproxy),
}

impl Server {
    pub(crate) fn new(kind: Kind, name: &str, dir: &Path) -> Result<Self> {
        let log_file: PathBuf = dir.join("logs").join(format!("{name}.log"));
        let mut launch = match &kind {
            Kind::Mosquitto(mosquitto) => mosquitto.launch(log_file),
            Kind::Kafka(kafka) => kafka.launch(log_file),
            Kind::Timescale(timescale) => timescale.launch(log_file),
            Kind::Patroni(patroni) => patroni.launch(log_file),
            Kind::Etcd(etcd) => etcd.launch(log_file),
            Kind::Artemis(artemis) => artemis.launch()?,
            Kind::Haproxy(haproxy) => haproxy.launch(log_file),
        };
        launch.record = Some(dir.join("run").join(format!("{name}.pid")));
        let stop_signal = match &kind {
            // Fast shutdown: disconnects clients, then a checkpoint. SIGTERM would wait for the clients.
            Kind::Timescale(_) => Signal::SIGINT,
            _ => Signal::SIGTERM,
        };
        Ok(Self { kind, program: Program::new(name, launch, stop_signal) })
    }

    /// Such as `mosquitto`, `kafka-1` or `timescale`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.program.name()
    }

    /// Where it listens, not through a proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match &self.kind {
            Kind::Mosquitto(mosquitto) => mosquitto.address,
            Kind::Kafka(kafka) => kafka.addresses.client,
            Kind::Timescale(timescale) => timescale.address,
            Kind::Patroni(patroni) => patroni.address,
            Kind::Etcd(etcd) => etcd.client,
            Kind::Artemis(artemis) => artemis.address,
            Kind::Haproxy(haproxy) => haproxy.address,
        }
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

    /// Whether its process lives; it may be frozen.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Starts it unless it runs, and waits until it answers.
    pub async fn start(&self) -> Result<()> {
        self.spawn().await?;
        self.wait_ready().await
    }

    /// Graceful: everything that it has is saved.
    pub async fn stop(&self) -> Result<()> {
        self.program.stop().await
    }

    /// `kill -9`, with all its children.
    pub async fn kill(&self) -> Result<()> {
        self.program.kill().await?;
        self.signal_adopted(Signal::SIGKILL)
    }

    /// `kill -9` of PostgreSQL's main process only: whoever looks after it starts it again.
    pub fn kill_postmaster(&self) -> Result<()> {
        let data = match &self.kind {
            Kind::Patroni(patroni) => patroni.data(),
            _ => bail!("nobody looks after {}'s postmaster", self.name()),
        };
        let path = data.join("postmaster.pid");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let pid = text.lines().next().and_then(|line| line.parse().ok());
        let pid = pid.with_context(|| format!("{} holds no process id", path.display()))?;
        kill(Pid::from_raw(pid), Signal::SIGKILL).context("cannot kill the postmaster")
    }

    /// SIGSTOP for all of its processes: its connections stay open and nothing answers.
    pub async fn freeze(&self) -> Result<()> {
        self.program.freeze().await?;
        self.signal_adopted(Signal::SIGSTOP)
    }

    /// SIGCONT: undoes [`Server::freeze`].
    pub async fn thaw(&self) -> Result<()> {
        self.program.thaw().await?;
        self.signal_adopted(Signal::SIGCONT)
    }

    /// Stop, start, ready.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// Waits until it really answers a client; an error at once when its process has ended.
    pub async fn wait_ready(&self) -> Result<()> {
        self.wait_ready_with(1).await
    }

    /// Waits until its process has ended, and says how.
    pub async fn wait_ended(&self) -> Result<std::process::ExitStatus> {
        self.program.wait_ended().await
    }

    /// Starts it unless it runs; does not wait.
    pub(crate) async fn spawn(&self) -> Result<()> {
        if let (Kind::Timescale(timescale), None) = (&self.kind, self.pid()) {
            timescale.clear_leftovers().await?;
        }
        self.program.start_again()
    }

    /// [`Server::wait_ready`], a broker with so many of its cluster.
    pub(crate) async fn wait_ready_with(&self, brokers: usize) -> Result<()> {
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            let Err(error) = self.check_ready(brokers).await else {
                return Ok(());
            };
            self.program.ensure_running().with_context(|| format!("{} failed to start", self.name()))?;
            if Instant::now() >= deadline {
                let log = self.program.log_tail(15);
                let context = format!(
                    "{} is not ready after {} s; its log ends:\n{log}",
                    self.name(),
                    READY_DEADLINE.as_secs()
                );
                return Err(error.context(context));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn check_ready(&self, brokers: usize) -> Result<()> {
        match &self.kind {
            Kind::Mosquitto(mosquitto) => mosquitto.check_ready().await,
            Kind::Kafka(kafka) => kafka.check_ready(brokers).await,
            Kind::Timescale(timescale) => timescale.check_ready().await,
            Kind::Patroni(patroni) => patroni.check_ready().await,
            Kind::Etcd(etcd) => etcd.check_ready().await,
            Kind::Artemis(artemis) => artemis.check_ready().await,
            Kind::Haproxy(haproxy) => haproxy.check_ready().await,
        }
    }

    pub(crate) fn is_database(&self) -> bool {
        matches!(self.kind, Kind::Timescale(_) | Kind::Patroni(_))
    }

    /// Whether it is a database that was elected to take writes, and says so itself.
    pub(crate) async fn leads(&self) -> bool {
        match &self.kind {
            Kind::Patroni(patroni) => patroni.leader().await.ok().flatten().as_deref() == Some(self.name()),
            _ => false,
        }
    }

    /// Patroni's PostgreSQL has another parent, so that it survives Patroni: here it shares its fate.
    fn signal_adopted(&self, signal: Signal) -> Result<()> {
        if let Kind::Patroni(patroni) = &self.kind {
            leftovers::signal_working_in(&patroni.data(), signal)?;
        }
        Ok(())
    }

    /// For `Drop`.
    pub(crate) fn end_blocking(&self, graceful: bool) {
        self.program.end_blocking(graceful);
        // An error means that it is gone.
        let _ = self.signal_adopted(Signal::SIGKILL);
    }
}
