//! The real servers and services, started together.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use wattline_loadtest::publish::Broker;
use wattline_loadtest::target::{Target, read_password};
use wattline_localstack::{ServiceKind, ServiceProcess, Stack, StackOptions, poll_until};

use crate::clocks::Clocks;
use crate::network::Network;

/// How many replicas of each service, and settings that differ from the defaults.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Replicas of mqtt-ingest.
    pub ingests: u16,
    /// Replicas of timescale-sink.
    pub sinks: u16,
    /// Replicas of aggregator.
    pub aggregators: u16,
    /// The servers.
    pub servers: StackOptions,
    /// Copies of each record in Kafka.
    pub replication: i32,
    /// Where the programs are; `None` = beside this test. Another version's folder has its `wattlinectl` too.
    pub programs: Option<PathBuf>,
    /// The services reach the servers through proxies, which can fail as a network does.
    pub through_network: bool,
    /// The services' clocks can be moved.
    pub movable_clocks: bool,
    /// Settings by their environment variables, for one kind of service each.
    pub settings: Vec<(ServiceKind, &'static str, String)>,
}

/// A running system. Everything in it ends with this process.
pub struct System {
    /// The servers.
    pub stack: Stack,
    /// Between the services and the servers; with [`Shape::through_network`].
    pub network: Option<Network>,
    /// The services' own; with [`Shape::movable_clocks`].
    pub clocks: Option<Clocks>,
    replicas: parking_lot::Mutex<Vec<std::sync::Arc<Replica>>>,
    /// What is started from now on.
    programs: parking_lot::Mutex<PathBuf>,
    shape: Shape,
}

/// One service process.
pub struct Replica {
    /// Its number among its kind, from 0.
    pub ordinal: u16,
    /// The process.
    pub process: ServiceProcess,
    /// It was killed, and is not to come back.
    gone: AtomicBool,
}

// === impl Shape ===

impl Default for Shape {
    fn default() -> Self {
        Self {
            ingests: 1,
            sinks: 1,
            aggregators: 1,
            servers: StackOptions::default(),
            replication: 1,
            programs: None,
            through_network: false,
            movable_clocks: false,
            settings: vec![
                // Tests bring new meters by the thousand, and don't wait a minute for a bucket.
                (ServiceKind::TimescaleSink, "WATTLINE__METERS__NEW_PER_MINUTE_MAX", "1000000".to_owned()),
                (ServiceKind::Aggregator, "WATTLINE__MARKS__OPEN_REFRESH_MS", "1000".to_owned()),
            ],
        }
    }
}

// === impl Replica ===

impl Replica {
    /// `kill -9`, and nobody starts it again.
    ///
    /// # Errors
    /// Where it can't be killed.
    pub async fn kill_for_good(&self) -> anyhow::Result<()> {
        self.gone.store(true, Ordering::Relaxed);
        self.process.kill().await
    }
}

// === impl System ===

impl System {
    /// Starts everything, with a fresh database and fresh topics, and waits until every replica is ready.
    ///
    /// # Errors
    /// Where a program is missing or a part doesn't come up.
    pub async fn start(shape: Shape) -> anyhow::Result<Self> {
        let programs = shape.programs.clone().map_or_else(bin_dir, Ok)?;
        let services = ServiceKind::ALL.iter().map(|kind| kind.binary());
        for name in services.chain(["wattlinectl".to_owned()]) {
            let program = programs.join(name);
            ensure!(
                program.exists(),
                "{} is missing: these tests run the real services. `make test` builds them first; by hand: \
                 cargo build --release --workspace --bins",
                program.display()
            );
        }
        let servers = shape.servers.clone().kafka_through_proxy(shape.through_network);
        let stack = Stack::start(servers).await.context("starting the servers")?;
        let network = if shape.through_network { Some(Network::start(&stack).await?) } else { None };
        let clocks = if shape.movable_clocks { Some(Clocks::start(stack.dir())?) } else { None };
        let replicas = parking_lot::Mutex::default();
        let system = Self { stack, network, clocks, replicas, programs: programs.into(), shape };
        system.prepare().await?;
        for (kind, count) in [
            (ServiceKind::MqttIngest, system.shape.ingests),
            (ServiceKind::TimescaleSink, system.shape.sinks),
            (ServiceKind::Aggregator, system.shape.aggregators),
        ] {
            for _ in 0..count {
                system.add(kind)?;
            }
        }
        system.wait_ready().await?;
        Ok(system)
    }

    /// Starts one more replica, and doesn't wait for it.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn add(&self, kind: ServiceKind) -> anyhow::Result<()> {
        let taken = self.replicas_of(kind).into_iter();
        let ordinal = taken.map(|replica| replica.ordinal + 1).max().unwrap_or(0);
        self.start_replica(kind, ordinal)
    }

    fn start_replica(&self, kind: ServiceKind, ordinal: u16) -> anyhow::Result<()> {
        let mut environment = self.stack.service_env(kind, ordinal)?;
        if let Some(network) = &self.network {
            network.lead_through(&mut environment, &self.stack);
        }
        if let Some(clocks) = &self.clocks {
            environment.extend(clocks.environment(kind));
        }
        for (of, name, value) in &self.shape.settings {
            if *of == kind {
                environment.push(((*name).to_owned(), value.clone()));
            }
        }
        let log = self.stack.dir().join("logs").join(format!("{kind}-{ordinal}.log"));
        let process = ServiceProcess::start(kind, &self.programs.lock(), &environment, log)?;
        let mut replicas = self.replicas.lock();
        replicas.push(std::sync::Arc::new(Replica { ordinal, process, gone: AtomicBool::new(false) }));
        Ok(())
    }

    /// Tables and topics as this version wants them, as an installation's hooks make them.
    ///
    /// # Errors
    /// With the words of `wattlinectl`.
    pub async fn prepare(&self) -> anyhow::Result<()> {
        let replication = self.shape.replication.to_string();
        let (database, brokers) = (self.stack.database_url(), self.stack.kafka_brokers());
        self.wattlinectl(&["migrate", "--database", &database]).await?;
        self.wattlinectl(&["topics", "--brokers", &brokers, "--replication-factor", &replication]).await
    }

    /// Runs `wattlinectl` with these words, the database and Kafka.
    ///
    /// # Errors
    /// With its words.
    pub async fn obey(&self, words: &str) -> anyhow::Result<()> {
        let (database, brokers) = (self.stack.database_url(), self.stack.kafka_brokers());
        let servers = ["--database", &database, "--brokers", &brokers];
        self.wattlinectl(&words.split(' ').chain(servers).collect::<Vec<_>>()).await
    }

    /// `wattlinectl audit` of a hundred meters.
    ///
    /// # Errors
    /// With its words, where a bucket is not what its readings give.
    pub async fn audit(&self) -> anyhow::Result<()> {
        let database = self.stack.database_url();
        self.wattlinectl(&["audit", "--database", &database, "--sample", "100"]).await
    }

    async fn wattlinectl(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let program = self.programs.lock().join("wattlinectl");
        let done = tokio::process::Command::new(&program).args(arguments).output().await;
        let done = done.with_context(|| format!("running {}", program.display()))?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{} {arguments:?}: {said}", program.display());
        Ok(())
    }

    /// Another version's programs, for whatever is started from now on.
    pub fn use_programs(&self, folder: &Path) {
        folder.clone_into(&mut self.programs.lock());
    }

    /// Stops a replica gracefully and starts it anew from today's programs, with the same name; waits until it is
    /// ready.
    ///
    /// # Errors
    /// Where it doesn't stop, or the new one doesn't come up.
    pub async fn replace(&self, kind: ServiceKind, ordinal: u16) -> anyhow::Result<()> {
        let place = |replicas: &[std::sync::Arc<Replica>]| {
            let mut all = replicas.iter();
            all.position(|it| it.ordinal == ordinal && it.process.kind() == kind)
        };
        let old = {
            let mut replicas = self.replicas.lock();
            let place = place(&replicas).with_context(|| format!("{kind} has no replica {ordinal}"))?;
            replicas.remove(place)
        };
        old.process.stop().await?;
        self.start_replica(kind, ordinal)?;
        let replicas = self.replicas_of(kind);
        let new = place(&replicas).and_then(|place| replicas.get(place)).context("it was just started")?;
        new.process.wait_ready().await
    }

    /// Stops the last replica of a kind for good, gracefully.
    ///
    /// # Errors
    /// Where there is none, or it doesn't stop.
    pub async fn remove_last(&self, kind: ServiceKind) -> anyhow::Result<()> {
        let last = {
            let mut replicas = self.replicas.lock();
            let place = replicas.iter().rposition(|replica| replica.process.kind() == kind);
            replicas.remove(place.with_context(|| format!("no {kind} runs"))?)
        };
        last.process.stop().await
    }

    /// Starts every replica again that has ended, as Kubernetes would; forever.
    pub async fn supervise(&self) {
        loop {
            for replica in self.replicas() {
                if replica.process.pid().is_none() && !replica.gone.load(Ordering::Relaxed) {
                    // One that can't be started is seen by who waits for it.
                    let _ = replica.process.start_again();
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// All replicas.
    #[must_use]
    pub fn replicas(&self) -> Vec<std::sync::Arc<Replica>> {
        self.replicas.lock().clone()
    }

    /// The replicas of one kind.
    #[must_use]
    pub fn replicas_of(&self, kind: ServiceKind) -> Vec<std::sync::Arc<Replica>> {
        let mut replicas = self.replicas();
        replicas.retain(|replica| replica.process.kind() == kind);
        replicas
    }

    /// Waits until every replica is ready.
    ///
    /// # Errors
    /// Where one isn't in time; with the end of its log.
    pub async fn wait_ready(&self) -> anyhow::Result<()> {
        for replica in self.replicas() {
            let ready = replica.process.wait_ready().await;
            ready.with_context(|| format!("{} {}", replica.process.kind(), replica.ordinal))?;
        }
        Ok(())
    }

    /// Whether every replica is ready now.
    pub async fn all_ready(&self) -> bool {
        for replica in self.replicas() {
            if !replica.process.is_ready().await {
                return false;
            }
        }
        true
    }

    /// Brings everything back that a fault took away.
    ///
    /// # Errors
    /// Where a part doesn't come up.
    pub async fn heal(&self) -> anyhow::Result<()> {
        if let Some(network) = &self.network {
            network.heal(&self.stack);
        }
        if let Some(clocks) = &self.clocks {
            clocks.heal()?;
        }
        for server in self.stack.servers() {
            if server.is_running() {
                server.thaw().await?;
            } else {
                server.start().await?;
            }
        }
        for replica in self.replicas() {
            if replica.process.pid().is_some() {
                replica.process.thaw().await?;
            }
            replica.gone.store(false, Ordering::Relaxed);
            replica.process.start_again()?;
        }
        self.wait_ready().await
    }

    /// Where loads are published, and where it is seen what became of them.
    ///
    /// # Errors
    /// Where the password can't be read.
    pub fn target(&self) -> anyhow::Result<Target> {
        let password = read_password(&self.stack.mqtt_password_file("meters"))?;
        let processes = self.replicas().into_iter().filter_map(|replica| {
            Some((format!("{}-{}", replica.process.kind(), replica.ordinal), replica.process.pid()?))
        });
        let broker = Broker::parse(&self.stack.mqtt_url(), Some(("meters".to_owned(), password)), None)?;
        Ok(Target {
            ingest_admins: self
                .replicas_of(ServiceKind::MqttIngest)
                .iter()
                .map(|replica| replica.process.admin_url().to_owned())
                .collect(),
            processes: processes.collect(),
            ..Target::of_servers(broker, self.stack.kafka_brokers(), self.stack.database_url())
        })
    }

    /// Copies all logs beside the programs, where they stay.
    ///
    /// # Errors
    /// Where they can't be read or written.
    pub fn save_logs(&self, story: &str) -> anyhow::Result<PathBuf> {
        let folder = bin_dir()?.join("test-logs").join(story);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        for entry in fs::read_dir(self.stack.dir().join("logs")).context("reading the folder of logs")? {
            let path = entry?.path();
            fs::copy(&path, folder.join(path.file_name().unwrap_or_default()))?;
        }
        Ok(folder)
    }

    /// Waits for a condition, at most two minutes.
    ///
    /// # Errors
    /// Where it doesn't come, or asking fails.
    pub async fn wait_for<F>(&self, what: &str, mut check: F) -> anyhow::Result<()>
    where
        F: AsyncFnMut() -> anyhow::Result<bool>,
    {
        let deadline = Duration::from_secs(120);
        poll_until(what, deadline, Duration::from_millis(20), async || Ok(check().await?.then_some(()))).await
    }
}

/// Where the programs are: beside this test's folder.
///
/// # Errors
/// Where this program's own path is not known.
pub fn bin_dir() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the path of the running test")?;
    let parent = own.parent().and_then(|deps| deps.parent());
    Ok(parent.context("the test is not in a target folder")?.to_owned())
}
