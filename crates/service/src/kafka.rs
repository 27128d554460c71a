//! Kafka: the settings that all clients share, a topic's identity, and what errors mean.

mod delivery;
mod ended;
mod identity;
mod revive;

use std::path::PathBuf;

use anyhow::bail;
use documented::DocumentedFields;
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

use crate::config::absent_if_empty;
use crate::secret;

pub use delivery::DeliveryError;
pub use ended::{ClientEnded, Clients};
pub use identity::{IdentityError, TopicIdentity, topic_identity};
pub use revive::revive;

/// How long a broker may leave a question without an answer.
const SILENCE_MAX_MS: u32 = 10_000;
/// How long a broker may take to accept a connection, TLS and SASL included.
const CONNECT_MAX_MS: u32 = 5_000;

/// Section `[kafka]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSettings {
    /// Addresses to begin with, `host:port`, separated by commas.
    pub brokers: String,
    /// Static membership of consumers, stable over restarts and one per process (a StatefulSet's pod name, "sink-0"): a
    /// restart within the session timeout moves no partition. Empty: none. Without effect where there is no group.
    #[serde(deserialize_with = "absent_if_empty")]
    pub instance_id: Option<String>,
    /// How connections are secured: "plaintext", "tls", "sasl-plaintext" or "sasl-tls".
    pub security: Security,
    /// Authorities that sign the brokers' certificates (PEM). Empty: the system's.
    #[serde(deserialize_with = "absent_if_empty")]
    pub ca_file: Option<PathBuf>,
    /// Client certificate (PEM), for mutual TLS. Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub cert_file: Option<PathBuf>,
    /// Its key (PEM). Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub key_file: Option<PathBuf>,
    /// For SASL: "SCRAM-SHA-512", "SCRAM-SHA-256" or "PLAIN".
    pub sasl_mechanism: String,
    /// SASL user. Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub username: Option<String>,
    /// File that holds the SASL password. Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub password_file: Option<PathBuf>,
}

/// How connections to Kafka are secured.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// TLS, with a client certificate where one is given.
    Tls,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslTls,
}

// === impl KafkaSettings ===

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            instance_id: None,
            security: Security::Plaintext,
            ca_file: None,
            cert_file: None,
            key_file: None,
            sasl_mechanism: "SCRAM-SHA-512".to_owned(),
            username: None,
            password_file: None,
        }
    }
}

impl KafkaSettings {
    /// What this replica of a service calls itself towards the database (`application_name`), so that one sees in
    /// `pg_stat_activity` whose connection it is.
    #[must_use]
    pub fn replica_name(&self, service: &str) -> String {
        match &self.instance_id {
            Some(id) => format!("{service}/{id}"),
            None => service.to_owned(),
        }
    }

    /// The options of any client: addresses, security, and limits that keep a lost broker from being noticed late.
    ///
    /// # Errors
    /// Where settings contradict each other or the password file can't be read.
    pub fn client_config(&self, client_id: &str) -> anyhow::Result<ClientConfig> {
        if self.brokers.trim().is_empty() {
            bail!("kafka.brokers is empty: write host:port, several separated by commas");
        }
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", client_id)
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            // A broker that is gone with its machine neither answers nor refuses: without these the partitions that it led
            // are waited for a minute, though others lead them after `broker.session.timeout.ms`, 9 s.
            .set("socket.timeout.ms", SILENCE_MAX_MS.to_string())
            .set("socket.connection.setup.timeout.ms", CONNECT_MAX_MS.to_string())
            .set("security.protocol", self.security.protocol());
        if matches!(self.security, Security::Tls | Security::SaslTls) {
            let files = [
                ("ssl.ca.location", &self.ca_file),
                ("ssl.certificate.location", &self.cert_file),
                ("ssl.key.location", &self.key_file),
            ];
            for (option, file) in files {
                if let Some(file) = file {
                    config.set(option, file.to_string_lossy());
                }
            }
        }
        if matches!(self.security, Security::SaslPlaintext | Security::SaslTls) {
            let (Some(username), Some(password_file)) = (&self.username, &self.password_file) else {
                bail!("kafka.security is SASL: kafka.username and kafka.password_file must be set");
            };
            config
                .set("sasl.mechanism", &self.sasl_mechanism)
                .set("sasl.username", username)
                .set("sasl.password", secret::read(password_file, "kafka.password_file")?);
        }
        Ok(config)
    }
}

// === impl Security ===

impl Security {
    const fn protocol(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Tls => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslTls => "sasl_ssl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls_option(settings: &KafkaSettings, name: &str) -> Option<String> {
        settings.client_config("test").unwrap().get(name).map(str::to_owned)
    }

    #[test]
    fn files_are_told_to_the_client_only_where_they_are_given_and_tls_is_used() {
        let mut settings = KafkaSettings { ca_file: Some("/ca.pem".into()), ..KafkaSettings::default() };
        assert_eq!(tls_option(&settings, "ssl.ca.location"), None, "not without TLS");
        settings.security = Security::Tls;
        assert_eq!(tls_option(&settings, "ssl.ca.location").as_deref(), Some("/ca.pem"));
        assert_eq!(tls_option(&settings, "ssl.certificate.location"), None);
        assert_eq!(tls_option(&settings, "security.protocol").as_deref(), Some("ssl"));
    }

    #[test]
    fn brokers_are_needed_and_told_as_they_are() {
        let mut settings = KafkaSettings { brokers: "a:1,b:2".to_owned(), ..KafkaSettings::default() };
        assert_eq!(tls_option(&settings, "bootstrap.servers").as_deref(), Some("a:1,b:2"));
        settings.brokers = "  ".to_owned();
        let error = settings.client_config("test").unwrap_err().to_string();
        assert!(error.contains("kafka.brokers is empty"), "{error}");
    }

    #[test]
    fn a_replica_is_called_by_its_instance_where_it_has_one() {
        let mut settings = KafkaSettings::default();
        assert_eq!(settings.replica_name("wattline-aggregator"), "wattline-aggregator");
        settings.instance_id = Some("aggregator-1".to_owned());
        assert_eq!(settings.replica_name("wattline-aggregator"), "wattline-aggregator/aggregator-1");
    }

    #[test]
    fn sasl_without_a_password_says_what_to_set() {
        let settings = KafkaSettings { security: Security::SaslTls, ..KafkaSettings::default() };
        let error = settings.client_config("test").unwrap_err().to_string();
        assert!(error.contains("kafka.password_file"), "{error}");
    }

    #[test]
    fn a_silent_broker_is_given_up_when_others_lead_its_partitions() {
        let config = KafkaSettings::default().client_config("test").unwrap();
        let ms = |name: &str| config.get(name).unwrap().parse::<u32>().unwrap();
        assert!((9_000..15_000).contains(&ms("socket.timeout.ms")));
        assert!(ms("socket.connection.setup.timeout.ms") < ms("socket.timeout.ms"));
    }

    #[test]
    fn a_secret_loses_only_its_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " s3cret \n").unwrap();
        let settings = KafkaSettings {
            security: Security::SaslPlaintext,
            username: Some("ingest".to_owned()),
            password_file: Some(file.path().to_owned()),
            ..KafkaSettings::default()
        };
        let config = settings.client_config("test").unwrap();
        assert_eq!(config.get("sasl.password"), Some(" s3cret "));
        std::fs::write(file.path(), "\n").unwrap();
        let error = settings.client_config("test").unwrap_err().to_string();
        assert!(error.contains("is empty"), "{error}");
    }
}
