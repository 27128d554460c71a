//! What a load goes to: the addresses and processes of a running stack.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio_postgres::{Client, NoTls};
use tracing::warn;
use wattline_service::postgres::read_column;

use crate::expected;
use crate::plan::Plan;
use crate::publish::Broker;

/// A running stack.
#[derive(Clone, Debug)]
pub struct Target {
    /// The MQTT broker.
    pub broker: Broker,
    /// Kafka's `bootstrap.servers`.
    pub kafka: String,
    /// The database, as somebody who may read every table.
    pub database: String,
    /// Admin addresses of the mqtt-ingest replicas.
    pub ingest_admins: Vec<String>,
    /// Where query-api takes queries, where there is one.
    pub graphql: Option<String>,
    /// Seconds from one save of the broker's queues to the next.
    pub broker_save_s: Option<u32>,
    /// Services and servers: name and process id.
    pub processes: Vec<(String, i32)>,
}

/// The file that `wattline-stack up --json` writes. What this program doesn't need is ignored.
#[derive(Debug, Deserialize)]
struct StackFile {
    mqtt: String,
    kafka: String,
    database: String,
    graphql: Option<String>,
    broker_save_s: Option<u32>,
    #[serde(default)]
    mqtt_password_files: BTreeMap<String, PathBuf>,
    #[serde(default)]
    services: BTreeMap<String, Vec<Service>>,
    #[serde(default)]
    servers: BTreeMap<String, Program>,
}

#[derive(Debug, Deserialize)]
struct Service {
    /// None while it is being started again.
    pid: Option<i32>,
    admin: String,
}

#[derive(Debug, Deserialize)]
struct Program {
    pid: Option<i32>,
}

/// The broker's user that may write for every meter.
const MQTT_USER: &str = "meters";

// === impl Target ===

impl Target {
    /// Reads the file of a running stack. `credentials` go before those that the file names.
    ///
    /// # Errors
    /// Where the file can't be read or lacks an address.
    pub fn read(path: &Path, credentials: Option<(String, String)>) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("{}: is the stack up? wattline-stack up --json writes it", path.display())
        })?;
        let file: StackFile =
            serde_json::from_str(&text).with_context(|| format!("{} is no stack file", path.display()))?;
        let credentials = match (credentials, file.mqtt_password_files.get(MQTT_USER)) {
            (Some(credentials), _) => Some(credentials),
            (None, Some(password_file)) => Some((MQTT_USER.to_owned(), read_password(password_file)?)),
            (None, None) => None,
        };
        let services = file.services.iter().flat_map(|(name, replicas)| {
            replicas.iter().enumerate().map(move |(ordinal, replica)| {
                let several = replicas.len() > 1;
                (if several { format!("{name}-{ordinal}") } else { name.clone() }, replica.pid)
            })
        });
        let servers = file.servers.iter().map(|(name, server)| (name.clone(), server.pid));
        let ingests = file.services.get("mqtt-ingest").into_iter().flatten();
        Ok(Self {
            broker: Broker::parse(&file.mqtt, credentials)?,
            kafka: file.kafka,
            database: file.database,
            ingest_admins: ingests.map(|replica| replica.admin.clone()).collect(),
            graphql: file.graphql,
            broker_save_s: file.broker_save_s,
            processes: services.chain(servers).filter_map(|(name, pid)| Some((name, pid?))).collect(),
        })
    }

    /// The processes of one service.
    #[must_use]
    pub fn pids_of(&self, service: &str) -> Vec<i32> {
        let replica = |name: &str| {
            name.strip_prefix(service).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('-') && rest[1..].parse::<u16>().is_ok()
            })
        };
        self.processes.iter().filter(|(name, _)| replica(name)).map(|(_, pid)| *pid).collect()
    }

    /// A connection of its own to the database.
    ///
    /// # Errors
    /// Where the database can't be reached.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.database, NoTls)
            .await
            .with_context(|| format!("connecting to the database {}", self.database))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                warn!("a database connection ended: {error}");
            }
        });
        Ok(client)
    }
}

/// Puts a plan's meters into the registry, as a fleet that runs for long is there already: the sink registers only
/// so many new ones a minute, and that limit is not what a load measures.
///
/// # Errors
/// Where the database refuses it.
pub async fn register_meters(client: &Client, plan: &Plan) -> anyhow::Result<()> {
    let ids: Vec<String> = if plan.mixed {
        expected::meter_ids(plan)
    } else {
        (0..plan.meters).map(|meter| plan.meter_id(meter)).collect()
    };
    client.execute(include_str!("sql/register.sql"), &[&ids]).await.context("registering the meters")?;
    Ok(())
}

/// The process that answers a connection.
///
/// # Errors
/// Where the database doesn't answer.
pub async fn backend(client: &Client) -> anyhow::Result<i32> {
    let row = client.query_one(include_str!("sql/backend.sql"), &[]).await;
    row.and_then(|row| read_column(&row, "pid")).context("asking a connection for its process")
}

/// A password from its file.
///
/// # Errors
/// Where it can't be read or is empty.
pub fn read_password(path: &Path) -> anyhow::Result<String> {
    let text =
        fs::read_to_string(path).with_context(|| format!("reading the password in {}", path.display()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "the password file {} is empty", path.display());
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_of_a_service_are_found_by_its_name() {
        let target = Target {
            broker: Broker::parse("mqtt://127.0.0.1:1", None).unwrap(),
            kafka: String::new(),
            database: String::new(),
            ingest_admins: Vec::new(),
            graphql: None,
            broker_save_s: None,
            processes: [("timescale", 1), ("timescale-sink-0", 2), ("timescale-sink-1", 3), ("kafka-1", 4)]
                .map(|(name, pid)| (name.to_owned(), pid))
                .to_vec(),
        };
        assert_eq!(target.pids_of("timescale-sink"), [2, 3]);
        assert_eq!(target.pids_of("timescale"), [1]);
        assert_eq!(target.pids_of("kafka"), [4]);
    }
}
