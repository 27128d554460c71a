//! What a stack is made of, and where.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::installation::{Installation, database_user};
use crate::kafka::KafkaTuning;
use crate::placement::impassable;
use crate::ports::Port;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// The MQTT broker.
    Mosquitto,
    /// One or three brokers.
    Kafka,
    /// PostgreSQL with TimescaleDB.
    Timescale,
    /// In place of [`ServerKind::Timescale`] two of them, one of which takes writes, by Patroni and etcd.
    Patroni,
    /// In place of [`ServerKind::Mosquitto`] two Artemis brokers, one of which is in charge, and HAProxy before them.
    /// Needs [`StackOptions::artemis_files`].
    Artemis,
}

/// How to start a [`crate::Stack`]. The default is for tests: all servers, one broker tuned for a fast start, a
/// temporary folder that is removed in the end, also when the process is killed.
#[derive(Debug, Clone)]
pub struct StackOptions {
    pub(super) dir: Option<PathBuf>,
    pub(super) servers: Vec<ServerKind>,
    pub(super) kafka_brokers: u16,
    pub(super) kafka_tuning: KafkaTuning,
    pub(super) kafka_through_proxy: bool,
    pub(super) kafka_default_timeouts: bool,
    pub(super) durable: Option<bool>,
    pub(super) database_settings: Vec<String>,
    pub(super) broker_save_s: u32,
    pub(super) mqtt_tls: bool,
    pub(super) artemis_files: PathBuf,
    pub(super) told_ports: BTreeMap<String, u16>,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            dir: None,
            servers: vec![ServerKind::Mosquitto, ServerKind::Kafka, ServerKind::Timescale],
            kafka_brokers: 1,
            kafka_tuning: KafkaTuning::FastStart,
            kafka_through_proxy: false,
            kafka_default_timeouts: false,
            durable: None,
            database_settings: Vec::new(),
            broker_save_s: 1,
            mqtt_tls: false,
            artemis_files: PathBuf::new(),
            told_ports: BTreeMap::new(),
        }
    }
}

impl StackOptions {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A folder that is kept, and that may hold the stack of an earlier run.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Only these servers.
    #[must_use]
    pub fn servers(mut self, servers: &[ServerKind]) -> Self {
        self.servers = servers.to_vec();
        self
    }

    /// One broker or three.
    #[must_use]
    pub fn kafka_brokers(mut self, brokers: u16) -> Self {
        self.kafka_brokers = brokers;
        self
    }

    /// Fast start or throughput.
    #[must_use]
    pub fn kafka_tuning(mut self, tuning: KafkaTuning) -> Self {
        self.kafka_tuning = tuning;
        self
    }

    /// Puts a [`crate::Proxy`] in front of each broker and has the broker advertise that.
    #[must_use]
    pub fn kafka_through_proxy(mut self, through: bool) -> Self {
        self.kafka_through_proxy = through;
        self
    }

    /// Leaves the timeouts after which three brokers take one of them for dead at Kafka's defaults, as production does
    /// (9 s), in place of shorter ones for tests: where the length of a failover counts.
    #[must_use]
    pub fn kafka_default_timeouts(mut self, default: bool) -> Self {
        self.kafka_default_timeouts = default;
        self
    }

    /// Whether the database flushes to disk at commit and has a cache for real work: by default only in a folder that
    /// is kept. Say `true` where the figures count.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = Some(durable);
        self
    }

    /// One setting of PostgreSQL that differs from what a stack has, such as a missing `shared_preload_libraries`.
    #[must_use]
    pub fn database_setting(mut self, name: &str, value: &str) -> Self {
        self.database_settings.push(format!("{name}={value}"));
        self
    }

    /// Seconds from one save of the MQTT broker's sessions and queues to the next, 1 by default. Each save writes all
    /// of them, so a load test with a queue says more; what came since the last one is lost by a kill.
    #[must_use]
    pub fn broker_save_s(mut self, seconds: u32) -> Self {
        self.broker_save_s = seconds;
        self
    }

    /// Adds two listeners with TLS to the MQTT broker, one for passwords and one for client certificates.
    #[must_use]
    pub fn mqtt_tls(mut self, tls: bool) -> Self {
        self.mqtt_tls = tls;
        self
    }

    /// The folder with the files that `charts/mqtt` renders for Artemis: `broker-0.xml`, `broker-1.xml`, `login.config`,
    /// `artemis-roles.properties` and `haproxy.cfg` without TLS.
    #[must_use]
    pub fn artemis_files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.artemis_files = folder.into();
        self
    }

    /// The broker's port.
    #[must_use]
    pub fn mqtt_port(self, port: u16) -> Self {
        self.told_port("mosquitto", port)
    }

    /// The first Kafka broker's port for clients.
    #[must_use]
    pub fn kafka_port(self, port: u16) -> Self {
        self.told_port("kafka-1", port)
    }

    /// The database's port.
    #[must_use]
    pub fn database_port(self, port: u16) -> Self {
        self.told_port("timescale", port)
    }

    /// The port of query-api's first replica.
    #[must_use]
    pub fn http_port(self, port: u16) -> Self {
        self.told_port("query-api-0-http", port)
    }

    fn told_port(mut self, name: &str, port: u16) -> Self {
        self.told_ports.insert(name.to_owned(), port);
        self
    }

    /// Names of the data folders and servers, in the order of the data.
    pub(super) fn folder_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.servers.contains(&ServerKind::Mosquitto) {
            names.push("mosquitto".to_owned());
        }
        if self.servers.contains(&ServerKind::Artemis) {
            names.extend(["artemis-0", "artemis-1", "haproxy"].map(str::to_owned));
        }
        if self.servers.contains(&ServerKind::Kafka) {
            names.extend((1..=self.kafka_brokers).map(|node| format!("kafka-{node}")));
        }
        if self.servers.contains(&ServerKind::Timescale) {
            names.push("timescale".to_owned());
        }
        if self.servers.contains(&ServerKind::Patroni) {
            // In this order: none of the two can stop without etcd.
            names.extend(["patroni-1", "patroni-2", "etcd"].map(str::to_owned));
        }
        names
    }

    /// A port for each listener: the told one, else last time's, else any free one.
    pub(super) fn choose_ports(&self, last: &BTreeMap<String, u16>) -> Result<BTreeMap<String, Port>> {
        let mut ports = BTreeMap::new();
        for (name, &number) in &self.told_ports {
            ports.insert(name.clone(), Port::told(number, name)?);
        }
        for server in self.folder_names() {
            let listeners: &[&str] = match &*server {
                "mosquitto" if self.mqtt_tls => &["", "-tls", "-mtls"],
                name if name.starts_with("patroni") => &["", "-rest"],
                "etcd" => &["", "-peer"],
                "haproxy" => &["", "-metrics"],
                name if name.starts_with("artemis") => &["", "-pair"],
                name if name.starts_with("kafka") => &["", "-direct", "-controller"],
                _ => &[""],
            };
            for listener in listeners {
                let name = format!("{server}{listener}");
                let preferred = last.get(&name).copied();
                if let Entry::Vacant(entry) = ports.entry(name) {
                    entry.insert(Port::choose(preferred)?);
                }
            }
        }
        Ok(ports)
    }

    pub(super) fn open_folder(&self, installation: &Installation) -> Result<Folder> {
        ensure!(
            matches!(self.kafka_brokers, 1 | 3),
            "one or three Kafka brokers, not {}",
            self.kafka_brokers
        );
        if self.servers.iter().any(|kind| matches!(kind, ServerKind::Patroni | ServerKind::Artemis)) {
            installation.check_failover()?;
            ensure!(self.dir.is_none(), "pairs of servers have a temporary folder only");
        }
        match &self.dir {
            Some(dir) => Folder::kept(dir),
            None => Folder::temporary(installation),
        }
    }
}

/// The stack's folder. A temporary one is removed by a janitor: a shell that waits for the end of a pipe, which comes
/// when the value is dropped and also when this process is killed.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    janitor: Option<Child>,
}

/// Servers that are about to die still write, so it tries for a while.
const JANITOR: &str = r#"
read -r never
tries=0
while [ -e "$1" ] && [ "$tries" -lt 100 ]; do
  rm -rf -- "$1"
  tries=$((tries + 1))
  [ ! -e "$1" ] || sleep 0.2
done
"#;

impl Folder {
    fn kept(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = fs::canonicalize(dir).with_context(|| format!("cannot find {}", dir.display()))?;
        Ok(Self { path, janitor: None })
    }

    fn temporary(installation: &Installation) -> Result<Self> {
        let mut parent = std::env::temp_dir();
        if let Some((uid, gid)) = database_user()?
            && impassable(&parent, uid, gid).is_some()
        {
            parent = installation.cache().join("tmp");
            fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let path = tempfile::Builder::new()
            .prefix("wattline-stack-")
            // The database's user must be able to pass.
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir_in(&parent)
            .with_context(|| format!("cannot create a folder in {}", parent.display()))?
            .keep();
        let janitor = Command::new("/bin/sh")
            .args(["-c", JANITOR, "sh"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the shell that removes the temporary folder")?;
        Ok(Self { path, janitor: Some(janitor) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            // Nothing can be done about a folder that doesn't go.
            let _ = janitor.wait();
        }
    }
}
