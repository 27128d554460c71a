//! The file that says where a running stack is: what `wattline-stack up --json` writes, and what a person writes for a
//! stack elsewhere, whose servers may speak TLS. What this program doesn't need is ignored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use wattline_service::kafka::{KafkaSettings, Security};
use wattline_service::postgres::DatabaseSettings;

use super::{Target, read_password};
use crate::publish::Broker;

/// The broker's user that may write for every meter.
const MQTT_USER: &str = "meters";
/// For each host of the database: one SYN may be lost and repeated after a second.
const CONNECT_TIMEOUT_MS: u64 = 2000;

#[derive(Debug, Deserialize)]
pub(super) struct StackFile {
    mqtt: String,
    kafka: String,
    #[serde(default)]
    kafka_security: Security,
    database: String,
    database_password_file: Option<PathBuf>,
    tls_root_file: Option<PathBuf>,
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

// === impl StackFile ===

impl StackFile {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            format!("{}: is the stack up? wattline-stack up --json writes it", path.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is no stack file", path.display()))
    }

    /// `credentials` go before those that the file names.
    pub(super) fn target(self, credentials: Option<(String, String)>) -> anyhow::Result<Target> {
        let credentials = match (credentials, self.mqtt_password_files.get(MQTT_USER)) {
            (Some(credentials), _) => Some(credentials),
            (None, Some(password_file)) => Some((MQTT_USER.to_owned(), read_password(password_file)?)),
            (None, None) => None,
        };
        let ingests = self.services.get("mqtt-ingest").into_iter().flatten();
        Ok(Target {
            broker: Broker::parse(&self.mqtt, credentials, self.tls_root_file.as_deref())
                .context("mqtt of the stack file")?,
            ingest_admins: ingests.map(|replica| replica.admin.clone()).collect(),
            processes: self.processes(),
            kafka: KafkaSettings {
                brokers: self.kafka,
                security: self.kafka_security,
                ca_file: self.tls_root_file.clone(),
                ..KafkaSettings::default()
            },
            database: DatabaseSettings {
                url: self.database,
                password_file: self.database_password_file,
                tls_root_file: self.tls_root_file,
                connect_timeout_ms: CONNECT_TIMEOUT_MS,
            },
            graphql: self.graphql,
            broker_save_s: self.broker_save_s,
        })
    }

    fn processes(&self) -> Vec<(String, i32)> {
        let services = self.services.iter().flat_map(|(name, replicas)| {
            replicas.iter().enumerate().map(move |(ordinal, replica)| {
                let several = replicas.len() > 1;
                (if several { format!("{name}-{ordinal}") } else { name.clone() }, replica.pid)
            })
        });
        let servers = self.servers.iter().map(|(name, server)| (name.clone(), server.pid));
        services.chain(servers).filter_map(|(name, pid)| Some((name, pid?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> anyhow::Result<Target> {
        serde_json::from_str::<StackFile>(text)?.target(None)
    }

    #[test]
    fn three_addresses_are_enough_and_other_keys_are_ignored() {
        let text = r#"{"id": "x", "mqtt": "mqtt://127.0.0.1:1883", "kafka": "a:1,b:2",
            "database": "postgres://postgres@127.0.0.1:5432/wattline",
            "services": {"mqtt-ingest": [{"pid": 5, "admin": "http://a", "log": "/x"}, {"pid": null, "admin": "http://b"}]},
            "servers": {"kafka": {"pid": 7, "log": "/y"}}}"#;
        let target = target(text).unwrap();
        assert_eq!((target.kafka.brokers.as_str(), target.kafka.security), ("a:1,b:2", Security::Plaintext));
        assert_eq!(target.database.password_file, None);
        assert_eq!(target.broker.credentials, None);
        assert_eq!(target.ingest_admins, ["http://a", "http://b"]);
        assert_eq!(target.processes, [("mqtt-ingest-0".to_owned(), 5), ("kafka".to_owned(), 7)]);
    }

    #[test]
    fn by_tls_one_file_has_the_authorities_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let authority = wattline_localstack::Authority::open(folder.path()).unwrap().ca_file();
        let password = folder.path().join("password");
        fs::write(&password, "s3cret\n").unwrap();
        let text = serde_json::json!({
            "mqtt": "mqtts://broker", "mqtt_password_files": {"meters": password},
            "kafka": "kafka:9092", "kafka_security": "tls",
            "database": "postgres://wattline_grafana@a,b/wattline?sslmode=verify-full",
            "database_password_file": password, "tls_root_file": authority,
        });
        let target = target(&text.to_string()).unwrap();
        assert_eq!(target.broker.address, "broker:8883");
        assert_eq!(target.broker.credentials, Some(("meters".to_owned(), "s3cret".to_owned())));
        let kafka = target.kafka.client_config("test").unwrap();
        assert_eq!(kafka.get("security.protocol"), Some("ssl"));
        assert_eq!(kafka.get("ssl.ca.location"), authority.to_str());
        assert_eq!(target.database.tls_root_file, Some(authority));
        assert_eq!(target.database.connecting_max().unwrap(), std::time::Duration::from_secs(4));
    }

    #[test]
    fn a_password_in_an_address_is_refused() {
        let text = r#"{"mqtt": "mqtts://a:secret@broker", "kafka": "a:1", "database": "postgres://a/b"}"#;
        let error = format!("{:#}", target(text).unwrap_err());
        assert!(error.contains("mqtt of the stack file") && error.contains("password_file"), "{error}");
    }
}
