//! The handle of one server: start, stop, kill, freeze, restart.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use crate::leftovers;
use crate::options::ServerKind;
use crate::program::Program;
use crate::software::{Role, Software, log_file};

/// A slow machine with other stacks on it: a cold Kafka took 8 s, so this means "never".
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// What fills a disk.
const BALLAST: &str = "ballast";

/// One server of a stack.
#[derive(Debug)]
pub struct Server {
    kind: ServerKind,
    software: Box<dyn Software>,
    program: Program,
    folder: PathBuf,
}

impl Server {
    pub(crate) fn new(
        kind: ServerKind,
        software: Box<dyn Software>,
        name: &str,
        dir: &Path,
        folder: PathBuf,
    ) -> Result<Self> {
        let mut launch = software.launch(log_file(dir, name))?;
        launch.record = Some(dir.join("run").join(format!("{name}.pid")));
        let program = Program::new(name, launch, software.stop_signal());
        Ok(Self { kind, software, program, folder })
    }

    /// What was asked for: one kind may be several servers.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Such as `mosquitto`, `kafka-1` or `timescale`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.program.name()
    }

    /// Where it listens, not through a proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.software.address()
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
        let data = self.software.adopted();
        let data = data.with_context(|| format!("nobody looks after {}'s postmaster", self.name()))?;
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

    /// Makes a backup of PostgreSQL while it runs, in place of the one before.
    pub async fn back_up(&self) -> Result<()> {
        self.software.back_up().await
    }

    /// `kill -9`, then PostgreSQL begins again with its backup: whatever was committed since is gone.
    pub async fn restore(&self) -> Result<()> {
        self.kill().await?;
        self.software.put_back()?;
        self.start().await
    }

    /// `kill -9` of a broker of Kafka, which then comes back without the last batches of each partition of a topic, as after
    /// a power cut without a second copy. Gives how many records those were.
    pub async fn lose_tail(&self, topic: &str, batches: usize) -> Result<u64> {
        self.kill().await?;
        let records = self.software.cut_tail(topic, batches)?;
        self.start().await?;
        Ok(records)
    }

    /// Fills its disk to the last byte; only with [`crate::StackOptions::small_disk`].
    pub async fn fill_disk(&self) -> Result<()> {
        let path = self.folder.join(BALLAST);
        tokio::task::spawn_blocking(move || fill(&path)).await?
    }

    /// Undoes [`Server::fill_disk`], and starts it if it has ended.
    pub async fn free_disk(&self) -> Result<()> {
        let path = self.folder.join(BALLAST);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
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
        if self.pid().is_none() {
            self.software.clear_leftovers().await?;
        }
        self.program.start_again()
    }

    /// [`Server::wait_ready`], a broker with so many of its cluster.
    pub(crate) async fn wait_ready_with(&self, brokers: usize) -> Result<()> {
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            let Err(error) = self.software.check_ready(brokers).await else {
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

    /// What clients come to it for.
    pub(crate) fn role(&self) -> Role {
        self.software.role()
    }

    /// Where the passwords of its users lie.
    pub(crate) fn password_folder(&self) -> Option<&Path> {
        self.software.password_folder()
    }

    /// Whether it is a database that was elected to take writes, and says so itself.
    pub(crate) async fn leads(&self) -> bool {
        self.software.leads().await.unwrap_or(false)
    }

    /// Patroni's PostgreSQL has another parent, so that it survives Patroni: here it shares its fate.
    fn signal_adopted(&self, signal: Signal) -> Result<()> {
        if let Some(folder) = self.software.adopted() {
            leftovers::signal_working_in(&folder, signal)?;
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

fn fill(path: &Path) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let (mut bytes, zeros) = (1024 * 1024, vec![0; 1024 * 1024]);
    while bytes > 0 {
        match file.write_all(&zeros[..bytes]) {
            Ok(()) => {}
            // Then what is less.
            Err(error) if error.kind() == ErrorKind::StorageFull => bytes /= 2,
            Err(error) => return Err(error).with_context(|| format!("cannot fill {}", path.display())),
        }
    }
    Ok(())
}
