//! What differs from one kind of server to the next. Everything else is [`Server`](crate::Server)'s.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use crate::identity::StackId;
use crate::installation::Installation;
use crate::options::{ServerKind, StackOptions};
use crate::ports::Port;
use crate::process::Launch;
use crate::proxy::Proxy;

/// What comes of asking a server.
pub(crate) type Answer<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What clients come to a server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// To publish and subscribe.
    Mqtt,
    /// To produce and consume.
    Kafka,
    /// The tables.
    Database,
    /// Nothing: only other servers of the stack know it.
    Inner,
}

/// The software of one server, in its data folder and with its addresses.
pub(crate) trait Software: fmt::Debug + Send + Sync {
    /// What clients come to it for.
    fn role(&self) -> Role;

    /// Where it listens, not through a proxy.
    fn address(&self) -> SocketAddr;

    /// Makes what its folder must hold before the first start.
    fn make(&self) -> Result<()> {
        Ok(())
    }

    /// Writes the configuration for today's ports.
    fn configure(&self) -> Result<()> {
        Ok(())
    }

    /// How it is started.
    fn launch(&self, log_file: PathBuf) -> Result<Launch>;

    /// What it is asked with to end, everything that it has saved.
    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    /// Removes what a killed run left behind and a start would stumble over.
    fn clear_leftovers(&self) -> Answer<'_> {
        Box::pin(async { Ok(()) })
    }

    /// An error while it doesn't really answer a client. A broker of Kafka: with so many of its cluster.
    fn check_ready(&self, brokers: usize) -> Answer<'_>;

    /// Whether it was elected to take writes, and says so itself.
    fn leads(&self) -> Answer<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    /// The folder in which processes work that are its own though they have another parent.
    fn adopted(&self) -> Option<PathBuf> {
        None
    }

    /// Where the passwords of its users lie.
    fn password_folder(&self) -> Option<&Path> {
        None
    }

    /// Makes a backup while it runs, in place of the one before.
    fn back_up(&self) -> Answer<'_> {
        Box::pin(async { bail!("backups are for PostgreSQL") })
    }

    /// Puts the backup in the place of its data, while it doesn't run.
    fn put_back(&self) -> Result<()> {
        bail!("backups are for PostgreSQL")
    }

    /// Takes the last batches off each partition of a topic, while it doesn't run; gives how many records those are.
    fn cut_tail(&self, _topic: &str, _batches: usize) -> Result<u64> {
        bail!("a topic's tail is for Kafka")
    }
}

/// A server that a stack will have.
pub(crate) struct Planned {
    /// Such as `mosquitto` or `kafka-1`; also its folder's.
    pub(crate) name: String,
    /// What was asked for.
    pub(crate) kind: ServerKind,
    /// Which one of several that are alike.
    pub(crate) number: u16,
    /// Its ports, by what stands behind its name in theirs; the one for clients first.
    pub(crate) listeners: &'static [&'static str],
    /// PostgreSQL's user must reach its folder, also where root keeps the stack closed.
    pub(crate) is_reached_by_database_user: bool,
    /// One of a pair that needs more to be installed, and is temporary only.
    pub(crate) is_for_failover: bool,
    /// Makes it.
    pub(crate) build: fn(&Site<'_>) -> Result<Box<dyn Software>>,
}

/// Where a server will be, and among what.
pub(crate) struct Site<'a> {
    /// The server's name.
    pub(crate) name: &'a str,
    /// Which one of several that are alike.
    pub(crate) number: u16,
    /// Its data folder, without links.
    pub(crate) folder: PathBuf,
    /// The stack's folder.
    pub(crate) dir: &'a Path,
    /// The stack's id.
    pub(crate) id: &'a StackId,
    /// What was asked for.
    pub(crate) options: &'a StackOptions,
    /// Where the programs are.
    pub(crate) installation: &'a Installation,
    /// Every port of the stack, by name.
    pub(crate) ports: &'a BTreeMap<String, Port>,
    /// In front of Kafka's brokers, in the order of the nodes; none where clients go straight.
    pub(crate) kafka_proxies: &'a [Proxy],
    /// The stack's folder goes with it.
    pub(crate) temporary: bool,
}

// === impl Planned ===

impl Planned {
    /// One of its kind, with one port.
    pub(crate) fn new(
        kind: ServerKind,
        name: impl Into<String>,
        build: fn(&Site<'_>) -> Result<Box<dyn Software>>,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            number: 0,
            listeners: &[""],
            is_reached_by_database_user: false,
            is_for_failover: false,
            build,
        }
    }
}

// === impl Site ===

impl Site<'_> {
    /// The address of one of its own listeners.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        self.address_of(&format!("{}{listener}", self.name))
    }

    /// The address of any listener of the stack.
    pub(crate) fn address_of(&self, name: &str) -> SocketAddr {
        self.ports[name].address()
    }

    /// Where its output goes.
    pub(crate) fn log_file(&self) -> PathBuf {
        log_file(self.dir, self.name)
    }

    /// Whether a database flushes to disk.
    pub(crate) fn durable(&self) -> bool {
        self.options.durable.unwrap_or(!self.temporary)
    }
}

/// Where the output of a server goes.
pub(crate) fn log_file(dir: &Path, name: &str) -> PathBuf {
    dir.join("logs").join(format!("{name}.log"))
}
