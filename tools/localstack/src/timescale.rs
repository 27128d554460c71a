//! PostgreSQL with TimescaleDB, foreground, loopback only, no password.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chown};

use crate::database;
use crate::installation::{Installation, database_user};
use crate::leftovers;
use crate::options::{ServerKind, StackOptions};
use crate::proc::processes_in;
use crate::process::Launch;
use crate::software::{Answer, Planned, Role, Site, Software};

/// One database server in one folder.
#[derive(Debug, Clone)]
struct Timescale {
    folder: PathBuf,
    address: SocketAddr,
    installation: Installation,
    user: Option<(Uid, Gid)>,
    /// Flush to disk at commit, and a cache for real work. A killed process loses nothing either way, a power cut does.
    durable: bool,
    /// `name=value`; the last one of a name counts.
    settings: Vec<String>,
    temporary: bool,
}

/// One server.
pub(crate) fn planned(_: &StackOptions) -> Vec<Planned> {
    let planned = Planned::new(ServerKind::Timescale, "timescale", build);
    vec![Planned { is_reached_by_database_user: true, ..planned }]
}

fn build(site: &Site<'_>) -> Result<Box<dyn Software>> {
    Ok(Box::new(Timescale {
        folder: site.folder.clone(),
        address: site.address(""),
        installation: site.installation.clone(),
        user: database_user()?,
        durable: site.durable(),
        settings: site.options.database_settings.clone(),
        temporary: site.temporary,
    }))
}

impl Timescale {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn backup(&self) -> PathBuf {
        self.folder.join("backup")
    }

    /// Does what the server's user may do in its folder.
    fn as_its_user(&self, program: &str) -> Command {
        let mut command = Command::new(self.installation.postgres(program));
        command.current_dir("/");
        if let Some((uid, gid)) = self.user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }
}

fn run(mut command: Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("cannot run {name}"))?;
    if !done.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

impl Software for Timescale {
    fn role(&self) -> Role {
        Role::Database
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fast shutdown: disconnects clients, then a checkpoint. SIGTERM would wait for the clients.
    fn stop_signal(&self) -> Signal {
        Signal::SIGINT
    }

    /// `initdb`.
    fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot create {}", self.folder.display()))?;
        if let Some((uid, gid)) = self.user {
            chown(&self.folder, Some(uid), Some(gid))
                .with_context(|| format!("cannot hand {} to the database's user", self.folder.display()))?;
        }
        let mut command = self.as_its_user("initdb");
        command.arg("-D").arg(self.data());
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        run(command)
    }

    /// `pg_basebackup`, with the WAL that is written meanwhile.
    fn back_up(&self) -> Answer<'_> {
        let backup = self.backup();
        let mut command = self.as_its_user("pg_basebackup");
        command.arg("-D").arg(&backup).args(["-U", "postgres", "-h", "127.0.0.1"]);
        command.arg("-p").arg(self.address.port().to_string());
        command.args(["-X", "stream", "-c", "fast", "--no-sync"]);
        Box::pin(async move {
            if backup.exists() {
                fs::remove_dir_all(&backup).context("cannot remove the backup before")?;
            }
            tokio::task::spawn_blocking(move || run(command)).await.context("the backup was broken off")?
        })
    }

    fn put_back(&self) -> Result<()> {
        fs::remove_dir_all(self.data()).context("cannot remove the database's data")?;
        fs::rename(self.backup(), self.data()).context("cannot put the backup in its place")
    }

    /// Removes what a killed run left: its backends, and the lock file with a pid that may be another process by now.
    fn clear_leftovers(&self) -> Answer<'_> {
        Box::pin(async {
            let data = self.data();
            leftovers::end_working_in(&data).await?;
            let lock = data.join("postmaster.pid");
            if lock.exists() && processes_in(&data).is_empty() {
                fs::remove_file(&lock).with_context(|| format!("cannot remove {}", lock.display()))?;
            }
            Ok(())
        })
    }

    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let on_off = |value| if value { "on" } else { "off" };
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data().into()];
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.address.port()),
            // A socket's path may be 107 bytes long; a data folder's may be longer.
            "unix_socket_directories=".to_owned(),
            "shared_preload_libraries=timescaledb".to_owned(),
            "timescaledb.telemetry_level=off".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "log_line_prefix=%m [%p] %u@%d ".to_owned(),
            "max_connections=200".to_owned(),
            "max_locks_per_transaction=256".to_owned(),
            "max_wal_size=4GB".to_owned(),
            format!("shared_buffers={}", if self.durable { "512MB" } else { "64MB" }),
            format!("fsync={}", on_off(self.durable)),
        ];
        for setting in settings.into_iter().chain(self.settings.iter().cloned()) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let mut launch = Launch::new(self.installation.postgres("postgres"), log_file).args(arguments);
        launch.user = self.user;
        // SIGINT is its fast shutdown.
        launch.signal_on_orphaned = if self.temporary { Signal::SIGKILL } else { Signal::SIGINT };
        Ok(launch)
    }

    /// Ready = a query is answered.
    fn check_ready(&self, _: usize) -> Answer<'_> {
        let check = async {
            let session = database::connect(&database::url(&[self.address], "postgres", "postgres")).await?;
            session.client.simple_query("SELECT 1").await.context("no answer to SELECT 1")
        };
        Box::pin(async {
            tokio::time::timeout(Duration::from_secs(2), check).await.context("no answer in 2 s")??;
            Ok(())
        })
    }
}
