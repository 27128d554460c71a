//! A child process that can't outlive its parent.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Gid, Pid, Uid};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::leftovers;
use crate::proc::descendants;

/// Runs as `sh -c WATCHER sh SIGNAL PROGRAM ARGUMENTS…` and becomes PROGRAM, keeping its pid.
///
/// Before that it leaves a watcher behind: a grandchild that blocks on the pipe at descriptor 3. The parent holds the
/// other end and writes a line when PROGRAM has ended; end of file without a line means that the parent is gone, and
/// then PROGRAM goes too. The double fork keeps the watcher out of PROGRAM's own children (PostgreSQL reaps all of
/// its children and takes one that it doesn't know, killed, for a crash). It ignores SIGHUP: the kernel sends that to a
/// process group that loses its parent while a member is stopped, as a frozen server is.
const WATCHER: &str = r#"
signal=$1; shift
exec 3<&0 </dev/null
watch() {
  read -r ended <&3 && return
  kill -s "$signal" "$$"
  kill -s CONT "$$"
  tries=0
  while [ "$tries" -lt 100 ] && kill -s 0 "$$"; do tries=$((tries + 1)); sleep 0.1; done
  kill -s KILL "$$"
}
(trap '' HUP INT QUIT TERM; watch >/dev/null 2>&1 &)
exec "$@" 3<&-
"#;

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Executable, by path or by name in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Added to the parent's environment.
    pub environment: Vec<(String, String)>,
    /// Standard output and error are appended here.
    pub log_file: PathBuf,
    /// Sent when the parent has died; ten seconds later SIGKILL follows.
    pub signal_on_orphaned: Signal,
    /// Run as this user and group instead of the parent's.
    pub user: Option<(Uid, Gid)>,
    /// Where pid and start time are noted, for a later run that finds this process left over.
    pub record: Option<PathBuf>,
}

/// A running or ended child process.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    gate: Arc<Mutex<Gate>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// Signals are sent, and the child is reaped, under one lock: a pid is never signalled after it was given back.
#[derive(Debug)]
struct Gate {
    reaped: bool,
}

impl Launch {
    /// A launch of `program` that logs to `log_file`.
    pub fn new(program: impl Into<PathBuf>, log_file: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log_file: log_file.into(),
            signal_on_orphaned: Signal::SIGKILL,
            user: None,
            record: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    fn open_log(&self) -> Result<File> {
        if let Some(folder) = self.log_file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log_file)
            .with_context(|| format!("cannot write the log {}", self.log_file.display()))
    }

    /// The last `lines` lines of the log, for an error message.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        let text = fs::read(&self.log_file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

// === impl Process ===

impl Process {
    /// Starts it, in a process group of its own: a Ctrl-C at the terminal reaches the parent only.
    pub fn spawn(launch: &Launch) -> Result<Self> {
        let log = launch.open_log()?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", WATCHER, "sh", signal_name(launch.signal_on_orphaned)])
            .arg(&launch.program)
            .args(&launch.arguments)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some((uid, gid)) = launch.user {
            // The parent's own working folder may be closed to that user.
            command.uid(uid.as_raw()).gid(gid.as_raw()).current_dir("/");
        }
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", launch.program.display()))?;
        let pid = i32::try_from(child.id()).context("pid out of range")?;
        let pipe = child.stdin.take().context("the child has no pipe")?;
        let gate = Arc::new(Mutex::new(Gate { reaped: false }));
        let (ended, exit) = watch::channel(None);
        let process = Self { pid, gate: Arc::clone(&gate), exit };
        std::thread::Builder::new()
            .name(format!("reap-{pid}"))
            .spawn(move || reap(child, pipe, &gate, &ended))
            .context("cannot start a thread that waits for the child")?;
        if let Some(record) = &launch.record {
            leftovers::write_record(record, pid)?;
        }
        Ok(process)
    }

    /// Its process id; kept after the end.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Whether it has not ended yet. A frozen process is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.exit_status().is_none()
    }

    /// Sends a signal; `false` when the process had ended already.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        let gate = self.gate.lock();
        if gate.reaped {
            return Ok(false);
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => bail!("cannot send {signal} to process {}: {error}", self.pid),
        }
    }

    /// Sends a signal to the process and then to all its descendants.
    pub fn signal_tree(&self, signal: Signal) -> Result<()> {
        let gate = self.gate.lock();
        if gate.reaped {
            return Ok(());
        }
        let children = descendants(self.pid);
        for pid in std::iter::once(self.pid).chain(children) {
            match kill(Pid::from_raw(pid), signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => bail!("cannot send {signal} to process {pid}: {error}"),
            }
        }
        Ok(())
    }

    /// Waits for the end.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.context("the waiting thread is gone")?;
        status.context("no exit status")
    }

    /// Waits for the end at most so long; `None`: still running. For callers without a runtime, such as `Drop`.
    #[must_use]
    pub fn wait_blocking(&self, timeout: Duration) -> Option<ExitStatus> {
        const STEP: Duration = Duration::from_millis(10);
        let mut left = timeout;
        while self.is_running() && !left.is_zero() {
            std::thread::sleep(STEP);
            left = left.saturating_sub(STEP);
        }
        self.exit_status()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it is gone or not ours any more: nothing is left to do.
        let _ = self.signal_tree(Signal::SIGKILL);
    }
}

/// Waits for the child without reaping it, then reaps it under the lock and dismisses the watcher.
fn reap(
    mut child: Child,
    mut pipe: ChildStdin,
    gate: &Mutex<Gate>,
    ended: &watch::Sender<Option<ExitStatus>>,
) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let mut gate = gate.lock();
    let status = child.wait().ok();
    gate.reaped = true;
    drop(gate);
    // The watcher may be gone (killed by hand): then nobody needs the line.
    let _ = pipe.write_all(b"ended\n");
    ended.send_replace(status);
}

fn signal_name(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}
