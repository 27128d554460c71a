//! What a load goes to: the addresses and processes of a running stack.

mod stack_file;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio_postgres::Client;
use wattline_service::kafka::KafkaSettings;
use wattline_service::postgres::{DatabaseSettings, read_column};

use crate::expected;
use crate::plan::Plan;
use crate::publish::Broker;

use stack_file::StackFile;

/// A running stack.
#[derive(Clone, Debug)]
pub struct Target {
    /// The MQTT broker.
    pub broker: Broker,
    /// Kafka, as the services are told.
    pub kafka: KafkaSettings,
    /// The database, as the services are told, and as somebody who may read every table.
    pub database: DatabaseSettings,
    /// Admin addresses of the mqtt-ingest replicas.
    pub ingest_admins: Vec<String>,
    /// Where query-api takes queries, where there is one.
    pub graphql: Option<String>,
    /// Seconds from one save of the broker's queues to the next.
    pub broker_save_s: Option<u32>,
    /// Services and servers: name and process id.
    pub processes: Vec<(String, i32)>,
}

/// A server that took a connection is to say who it is within this time.
const GREETING: Duration = Duration::from_secs(1);

// === impl Target ===

impl Target {
    /// Reads the file of a running stack. `credentials` go before those that the file names.
    ///
    /// # Errors
    /// Where the file can't be read or lacks an address.
    pub fn read(path: &Path, credentials: Option<(String, String)>) -> anyhow::Result<Self> {
        StackFile::read(path)?.target(credentials).with_context(|| format!("in {}", path.display()))
    }

    /// Servers without TLS, and nothing else.
    #[must_use]
    pub fn of_servers(broker: Broker, kafka: String, database: String) -> Self {
        Self {
            broker,
            kafka: KafkaSettings { brokers: kafka, ..KafkaSettings::default() },
            database: DatabaseSettings { url: database, ..DatabaseSettings::default() },
            ingest_admins: Vec::new(),
            graphql: None,
            broker_save_s: None,
            processes: Vec::new(),
        }
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

    /// A connection of its own to the database; the address is looked up for it. Hosts that are gone cost no more than the
    /// connect timeout each.
    ///
    /// # Errors
    /// Where the database can't be reached in that time and a second.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let patience = self.database.connecting_max()? + GREETING;
        let connected = tokio::time::timeout(patience, self.database.connect("wattline-loadtest"));
        connected.await.with_context(|| {
            format!("no database at {} has greeted within {patience:?}", self.database.url)
        })?
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
        let broker = Broker::parse("mqtt://127.0.0.1:1", None, None).unwrap();
        let mut target = Target::of_servers(broker, String::new(), String::new());
        target.processes =
            [("timescale", 1), ("timescale-sink-0", 2), ("timescale-sink-1", 3), ("kafka-1", 4)]
                .map(|(name, pid)| (name.to_owned(), pid))
                .to_vec();
        assert_eq!(target.pids_of("timescale-sink"), [2, 3]);
        assert_eq!(target.pids_of("timescale"), [1]);
        assert_eq!(target.pids_of("kafka"), [4]);
    }
}
