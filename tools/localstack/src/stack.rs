//! All servers of one stack together.

mod folder;
mod prepare;
mod settings;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;
use tracing::warn;

use crate::database;
use crate::disk::SmallDisk;
use crate::identity::{self, StackFile, StackId};
use crate::installation::Installation;
use crate::kafka;
use crate::leftovers;
use crate::options::{ServerKind, StackOptions, kafka_name};
use crate::placement;
use crate::ports::Port;
use crate::process::Launch;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::service::{ServiceKind, ServiceProcess};
use crate::software::{Planned, Role};
use crate::watch::poll_until;

/// The database that the services use.
const DATABASE: &str = "wattline";
/// Locked by the process whose stack it is, and holds its id.
const LOCK_FILE: &str = "stack.pid";
const IN_SYNC_DEADLINE: Duration = Duration::from_secs(120);
/// Each look makes a client of its own.
const IN_SYNC_POLL: Duration = Duration::from_millis(300);

/// A running stack. Dropping it stops its servers and, if its folder is a temporary one, removes that.
#[derive(Debug)]
pub struct Stack {
    id: StackId,
    dir: PathBuf,
    servers: Vec<Server>,
    /// In front of the brokers, if clients are to go through proxies; in the order of the nodes.
    kafka_proxies: Vec<Proxy>,
    ports: Mutex<BTreeMap<String, Port>>,
    temporary: bool,
    /// Unmounted when the servers have ended, before the folder is removed.
    disks: Vec<SmallDisk>,
    // Dropped last, in this order: nobody else may take the folder before it is gone.
    _folder: folder::Folder,
    _lock: Flock<File>,
}

impl Stack {
    /// Starts the servers and waits until each really answers.
    ///
    /// Topics and tables are the caller's to make (`wattlinectl`); the database `wattline` exists and is empty.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let installation = Installation::find()?;
        let planned = prepare::planned(&options);
        check(&options, &planned, &installation)?;
        let folder = folder::Folder::open(options.dir.as_deref(), &installation)?;
        let dir = folder.path().to_owned();
        let lock = lock(&dir)?;
        placement::sweep(&installation);
        for leftover in leftovers::end_recorded(&dir.join("run")).await? {
            warn!("ended {leftover}, left over from an earlier run in {}", dir.display());
        }
        let names: Vec<String> = planned.iter().map(|planned| planned.name.clone()).collect();
        let mut file = StackFile::open(&dir, options.kafka_brokers, &names)?;
        let mut stack = Self {
            id: file.id.clone(),
            servers: Vec::new(),
            kafka_proxies: Vec::new(),
            ports: Mutex::new(prepare::choose_ports(&options.told_ports, &planned, &file.ports)?),
            temporary: options.dir.is_none(),
            disks: Vec::new(),
            _folder: folder,
            _lock: lock,
            dir,
        };
        file.ports = stack.ports.lock().iter().map(|(name, port)| (name.clone(), port.number())).collect();
        file.save(&stack.dir)?;
        if options.kafka_through_proxy {
            for node in 1..=options.kafka_brokers {
                stack.kafka_proxies.push(Proxy::start(stack.port(&kafka_name(node))).await?);
            }
        }
        for planned in &planned {
            let server = stack.prepare(planned, &options, &installation, &mut file)?;
            stack.servers.push(server);
        }
        stack.start_servers(options.kafka_brokers).await?;
        Ok(stack)
    }

    /// Stops every server gracefully, in the order of the data. The folder of a temporary stack is removed.
    pub async fn stop(self) -> Result<()> {
        for server in &self.servers {
            server.stop().await?;
        }
        Ok(())
    }

    /// The id that all its data folders carry; also Kafka's cluster id.
    #[must_use]
    pub fn id(&self) -> &StackId {
        &self.id
    }

    /// The folder that holds everything; logs are in `logs/` below it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All its servers.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The MQTT broker.
    ///
    /// # Panics
    /// When the options left it out; this and the next ones.
    #[must_use]
    pub fn mosquitto(&self) -> &Server {
        self.server("mosquitto")
    }

    /// Kafka's first broker: the only one, unless three were asked for.
    #[must_use]
    pub fn kafka(&self) -> &Server {
        self.kafka_broker(1)
    }

    /// Kafka's broker with that node id, from 1.
    #[must_use]
    pub fn kafka_broker(&self, node: u16) -> &Server {
        self.server(&kafka_name(node))
    }

    /// The database server.
    #[must_use]
    pub fn timescale(&self) -> &Server {
        self.server("timescale")
    }

    /// The proxies that Kafka advertises, with [`StackOptions::kafka_through_proxy`]; one per broker.
    #[must_use]
    pub fn kafka_proxies(&self) -> &[Proxy] {
        &self.kafka_proxies
    }

    /// Starts a replica of a service that lies in `bin_dir`, with [`Stack::service_env`] and then `more`. It logs to
    /// `logs/` and is ended as a leftover by the stack's next start, should this process be killed.
    pub fn start_service(
        &self,
        kind: ServiceKind,
        ordinal: u16,
        bin_dir: &Path,
        more: &[(String, String)],
    ) -> Result<ServiceProcess> {
        let mut environment = self.service_env(kind, ordinal)?;
        environment.extend_from_slice(more);
        let launch = self.launch(bin_dir.join(kind.binary()), &format!("{kind}-{ordinal}"));
        ServiceProcess::start_launch(kind, Launch { environment, ..launch })
    }

    /// A launch of any other program as part of this stack: it logs to `logs/NAME.log`.
    #[must_use]
    pub fn launch(&self, program: impl Into<PathBuf>, name: &str) -> Launch {
        let mut launch = Launch::new(program, self.dir.join("logs").join(format!("{name}.log")));
        launch.record = Some(self.dir.join("run").join(format!("{name}.pid")));
        launch
    }

    /// Where clients of MQTT connect: the broker, or what leads to it.
    pub(crate) fn mqtt(&self) -> &Server {
        self.of_role(Role::Mqtt).next().unwrap_or_else(|| self.mosquitto())
    }

    /// Those that clients come to for this, in the order of their names.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(move |server| server.role() == role)
    }

    /// The brokers of Kafka.
    pub fn kafka_nodes(&self) -> impl Iterator<Item = &Server> {
        self.of_role(Role::Kafka)
    }

    /// The first server of a kind: of several that are alike the first one, of a pair the one that begins in charge.
    ///
    /// # Panics
    /// When the options left it out.
    #[must_use]
    pub fn first(&self, kind: ServerKind) -> &Server {
        let server = self.servers.iter().find(|server| server.kind() == kind);
        server.unwrap_or_else(|| panic!("this stack was started without {kind:?}"))
    }

    /// Any of its servers.
    ///
    /// # Panics
    /// When the options left it out.
    #[must_use]
    pub fn server(&self, name: &str) -> &Server {
        let server = self.servers.iter().find(|server| server.name() == name);
        server.unwrap_or_else(|| panic!("this stack was started without {name}"))
    }

    /// Which of the databases with [`ServerKind::Patroni`] takes writes; waits until one does.
    pub async fn database_leader(&self) -> Result<String> {
        poll_until("a database that leads", IN_SYNC_DEADLINE, IN_SYNC_POLL, async || {
            for server in self.of_role(Role::Database) {
                if server.leads().await {
                    return Ok(Some(server.name().to_owned()));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Waits until every partition in Kafka has all its replicas in sync.
    pub async fn wait_kafka_in_sync(&self) -> Result<()> {
        let brokers = self.kafka_brokers_direct();
        poll_until("Kafka's replicas to be in sync", IN_SYNC_DEADLINE, IN_SYNC_POLL, async || {
            Ok(kafka::check_in_sync(brokers.clone()).await.ok())
        })
        .await
    }

    /// The address of a port chosen at the start.
    fn port(&self, name: &str) -> SocketAddr {
        self.ports.lock()[name].address()
    }

    async fn start_servers(&self, brokers: u16) -> Result<()> {
        for server in &self.servers {
            server.spawn().await?;
        }
        for server in &self.servers {
            server.wait_ready_with(usize::from(brokers)).await?;
        }
        if self.of_role(Role::Database).next().is_some() {
            database::create_if_missing(&self.database_addresses(), DATABASE).await?;
        }
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for server in &self.servers {
            server.end_blocking(!self.temporary);
        }
    }
}

fn check(options: &StackOptions, planned: &[Planned], installation: &Installation) -> Result<()> {
    let brokers = options.kafka_brokers;
    ensure!(matches!(brokers, 1 | 3), "one or three Kafka brokers, not {brokers}");
    if planned.iter().any(|planned| planned.is_for_failover) {
        installation.check_failover()?;
        ensure!(options.dir.is_none(), "pairs of servers have a temporary folder only");
    }
    Ok(())
}

/// One stack per folder. The kernel gives the lock back when its process ends, however that is.
fn lock(dir: &Path) -> Result<Flock<File>> {
    let path = dir.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).read(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => {
            fs::write(&path, format!("{}\n", std::process::id()))?;
            Ok(lock)
        }
        Err(_) => bail!(
            "a stack already runs in {} (process {}): stop it or name another folder",
            dir.display(),
            fs::read_to_string(&path).unwrap_or_default().trim()
        ),
    }
}

/// The process whose stack runs in `dir`; `None` when nobody holds it.
pub fn owner(dir: &Path) -> Result<Option<i32>> {
    let path = dir.join(LOCK_FILE);
    let Ok(file) = File::options().read(true).write(true).open(&path) else { return Ok(None) };
    if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(text.trim().parse().with_context(|| format!("{} holds no process id", path.display()))?))
}

/// Ends whatever a killed run left in `dir`; nobody may hold it.
pub async fn end_leftovers(dir: &Path) -> Result<()> {
    leftovers::end_recorded(&dir.join("run")).await?;
    Ok(())
}

/// Deletes a stack that nobody holds, with all its data.
pub async fn delete(dir: &Path) -> Result<()> {
    ensure!(identity::stack_id(dir).is_some(), "{} holds no stack: not deleted", dir.display());
    end_leftovers(dir).await?;
    fs::remove_dir_all(dir).with_context(|| format!("cannot delete {}", dir.display()))?;
    placement::sweep(&Installation::find()?);
    Ok(())
}
