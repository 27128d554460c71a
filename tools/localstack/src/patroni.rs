//! Two PostgreSQL servers of which one takes writes: Patroni on each, etcd for their election. With the times of
//! `charts/timescaledb`, and trust for everybody on loopback.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chown};
use serde::Deserialize;

use crate::installation::{Installation, database_user};
use crate::options::{ServerKind, StackOptions};
use crate::process::Launch;
use crate::software::{Answer, Planned, Role, Site, Software};

const ETCD: &str = "etcd";
/// Of Patroni's listener for questions, and of etcd's for its peers.
const REST: &str = "-rest";
const PEER: &str = "-peer";

/// Patroni answers from its own memory.
const ANSWER: Duration = Duration::from_secs(2);

/// Where the election is kept.
#[derive(Debug, Clone)]
struct Etcd {
    folder: PathBuf,
    client: SocketAddr,
    peer: SocketAddr,
    installation: Installation,
}

/// One of the two, PostgreSQL included.
#[derive(Debug, Clone)]
struct Patroni {
    name: String,
    folder: PathBuf,
    address: SocketAddr,
    rest: SocketAddr,
    etcd: SocketAddr,
    installation: Installation,
    user: Option<(Uid, Gid)>,
    durable: bool,
}

/// The answer to `GET /cluster`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Cluster {
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    role: String,
    state: String,
}

/// Two databases and etcd. In this order: none of the two can stop without it.
pub(crate) fn planned(_: &StackOptions) -> Vec<Planned> {
    let database = |number: u16| Planned {
        number,
        listeners: &["", REST],
        is_for_failover: true,
        ..Planned::new(ServerKind::Patroni, format!("patroni-{number}"), build)
    };
    let etcd = Planned::new(ServerKind::Patroni, ETCD, build_etcd);
    let etcd = Planned { listeners: &["", PEER], is_for_failover: true, ..etcd };
    vec![database(1), database(2), etcd]
}

fn build(site: &Site<'_>) -> Result<Box<dyn Software>> {
    Ok(Box::new(Patroni {
        name: site.name.to_owned(),
        folder: site.folder.clone(),
        address: site.address(""),
        rest: site.address(REST),
        etcd: site.address_of(ETCD),
        installation: site.installation.clone(),
        user: database_user()?,
        durable: site.durable(),
    }))
}

fn build_etcd(site: &Site<'_>) -> Result<Box<dyn Software>> {
    Ok(Box::new(Etcd {
        folder: site.folder.clone(),
        client: site.address(""),
        peer: site.address(PEER),
        installation: site.installation.clone(),
    }))
}

// === impl Etcd ===

impl Software for Etcd {
    fn role(&self) -> Role {
        Role::Inner
    }

    fn address(&self) -> SocketAddr {
        self.client
    }

    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let (client, peer) = (format!("http://{}", self.client), format!("http://{}", self.peer));
        Ok(Launch::new(self.installation.etcd(), log_file)
            .args(["--data-dir".into(), self.folder.join("data")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster".to_owned(), format!("default={peer}")])
            .args(["--unsafe-no-fsync", "--log-level", "warn"]))
    }

    fn check_ready(&self, _: usize) -> Answer<'_> {
        Box::pin(async {
            let health = get(&format!("http://{}/health", self.client)).await?;
            ensure!(health.contains("true"), "etcd says {health}");
            Ok(())
        })
    }
}

// === impl Patroni ===

impl Patroni {
    fn settings(&self) -> String {
        let Self { name, address, rest, etcd, .. } = self;
        format!(
            "scope: wattline
name: {name}
restapi: {{listen: '{rest}', connect_address: '{rest}'}}
etcd3: {{hosts: '{etcd}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 3
    retry_timeout: 6
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        shared_preload_libraries: timescaledb
        timescaledb.telemetry_level: 'off'
        timezone: UTC
        log_timezone: UTC
        log_line_prefix: '%m [%p] %u@%d '
        max_connections: 200
        max_locks_per_transaction: 256
        max_wal_size: 4GB
        shared_buffers: 256MB
        fsync: '{fsync}'
        wal_level: replica
        hot_standby: 'on'
        max_wal_senders: 10
        max_replication_slots: 10
  initdb: [encoding: UTF8, locale: C.UTF-8, data-checksums]
postgresql:
  listen: '{address}'
  connect_address: '{address}'
  data_dir: {data}
  bin_dir: {programs}
  pgpass: {folder}/pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: replication}}}}
  parameters: {{unix_socket_directories: ''}}
  pg_hba: [host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
",
            fsync = if self.durable { "on" } else { "off" },
            data = self.data().display(),
            programs = self.installation.postgres("").display(),
            folder = self.folder.display(),
        )
    }

    /// Who leads, as far as this one knows.
    async fn leader(&self) -> Result<Option<String>> {
        let leader = |member: &Member| member.role == "leader" && member.state == "running";
        Ok(self.cluster().await?.members.into_iter().find(leader).map(|member| member.name))
    }

    async fn cluster(&self) -> Result<Cluster> {
        let text = get(&format!("http://{}/cluster", self.rest)).await?;
        serde_json::from_str(&text).with_context(|| format!("{} answers {text}", self.name))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Software for Patroni {
    fn role(&self) -> Role {
        Role::Database
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    /// PostgreSQL has another parent, so that it survives Patroni.
    fn adopted(&self) -> Option<PathBuf> {
        Some(self.data())
    }

    fn leads(&self) -> Answer<'_, bool> {
        Box::pin(async { Ok(self.leader().await?.as_deref() == Some(&*self.name)) })
    }

    /// The folder; Patroni itself fills it.
    fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot create {}", self.folder.display()))?;
        if let Some((uid, gid)) = self.user {
            chown(&self.folder, Some(uid), Some(gid))
                .with_context(|| format!("cannot hand {} to the database's user", self.folder.display()))?;
        }
        Ok(())
    }

    /// Writes the configuration for today's ports.
    fn configure(&self) -> Result<()> {
        let path = self.folder.join("patroni.yaml");
        fs::write(&path, self.settings()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Ended by SIGTERM in any case: it takes PostgreSQL along, which is no child of its own.
    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let python = self.installation.python();
        let mut launch = Launch::new(&python, log_file)
            .args([self.installation.patroni(), self.folder.join("patroni.yaml")]);
        let home = python.parent().and_then(Path::parent).unwrap_or(&python).display().to_string();
        launch.environment = vec![
            ("PYTHONHOME".to_owned(), home),
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
            ("PYTHONUNBUFFERED".to_owned(), "1".to_owned()),
        ];
        launch.user = self.user;
        launch.signal_on_orphaned = Signal::SIGTERM;
        Ok(launch)
    }

    /// Ready = it leads, or follows so closely that no commit can be lost with the other.
    fn check_ready(&self, _: usize) -> Answer<'_> {
        Box::pin(async {
            let cluster = self.cluster().await?;
            let own = cluster.members.iter().find(|member| member.name == self.name);
            let own = own.with_context(|| format!("{} has not joined", self.name))?;
            let ready =
                matches!((&*own.role, &*own.state), ("leader", "running") | ("sync_standby", "streaming"));
            ensure!(ready, "{} is {} and {}", own.name, own.role, own.state);
            Ok(())
        })
    }
}

async fn get(url: &str) -> Result<String> {
    let client = reqwest::Client::builder().timeout(ANSWER).build()?;
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}
