//! What a stack is to be made of, and where.

use std::collections::BTreeMap;
use std::path::PathBuf;

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

/// What the Java virtual machine is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KafkaTuning {
    /// Ready in about 3 s, but never compiled to the best code: for tests.
    FastStart,
    /// For load: both compilers and a larger heap.
    #[default]
    Throughput,
}

/// How to start a [`crate::Stack`]. The default is for tests: all servers, one broker tuned for a fast start, a
/// temporary folder that is removed in the end, also when the process is killed.
#[derive(Debug, Clone)]
pub struct StackOptions {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) servers: Vec<ServerKind>,
    pub(crate) kafka_brokers: u16,
    pub(crate) kafka_tuning: KafkaTuning,
    pub(crate) kafka_through_proxy: bool,
    pub(crate) kafka_default_timeouts: bool,
    pub(crate) durable: Option<bool>,
    pub(crate) database_settings: Vec<String>,
    pub(crate) disks_mib: Vec<(ServerKind, u32)>,
    pub(crate) broker_save_s: u32,
    pub(crate) mqtt_tls: bool,
    pub(crate) artemis_files: PathBuf,
    pub(crate) told_ports: BTreeMap<String, u16>,
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
            disks_mib: Vec::new(),
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

    /// Gives each server of a kind a disk of its own, in memory and of so many MiB, which
    /// [`Server::fill_disk`](crate::Server::fill_disk) fills. Only where `scripts/faults.sh` starts the process.
    #[must_use]
    pub fn small_disk(mut self, kind: ServerKind, mib: u32) -> Self {
        self.disks_mib.push((kind, mib));
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
        self.told_port(&kafka_name(1), port)
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
}

/// The name of Kafka's broker with that node id, from 1.
pub(crate) fn kafka_name(node: u16) -> String {
    format!("kafka-{node}")
}
