//! Configuration: `config/mqtt-ingest.toml` shows every setting.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use url::Url;
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_reading::{Limits, READINGS_PER_MESSAGE_MAX};
use wattline_service::{KafkaSettings, ServiceConfig, ServiceSettings};

use crate::route::{RouteSettings, Routes, check_filter, overlap};
use crate::window::WindowSettings;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What all services have.
    pub service: ServiceSettings,
    /// The broker that messages come from.
    pub mqtt: MqttSettings,
    /// The cluster that readings go to.
    pub kafka: KafkaSettings,
    /// How records are produced.
    pub produce: ProduceSettings,
    /// What may be in flight.
    pub window: WindowSettings,
    /// What is plausible.
    pub limits: Limits,
    /// Whose default routes are on: names of families, or `all`.
    pub families: Vec<String>,
    /// Topic filter to decoder. They come before the default routes; no two of them may overlap.
    pub routes: Vec<RouteSettings>,
}

/// Section `[mqtt]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct MqttSettings {
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub url: String,
    /// Stable over restarts and never shared by two processes: the broker keeps the session under it.
    pub client_id: String,
    /// User; empty: none.
    pub username: String,
    /// File that holds the password; empty: none.
    pub password_file: PathBuf,
    /// Authorities that sign the broker's certificate (PEM), for `mqtts`. Empty: the system's.
    pub ca_file: PathBuf,
    /// Client certificate (PEM), for `mqtts`; needs `ca_file`.
    pub cert_file: PathBuf,
    /// Its key (PEM).
    pub key_file: PathBuf,
    /// Group of the shared subscription: `$share/<group>/<filter>`. Empty: an ordinary one, for a single replica.
    pub group: String,
    /// Filters to subscribe to. Empty: those of the routes.
    pub filters: Vec<String>,
    /// How many messages the broker may send ahead of their acknowledgement.
    pub receive_maximum: u16,
    /// How long the broker keeps the session while this process is away, in s: longer than any outage, for what
    /// waits in an expired session is lost.
    pub session_expiry_s: u32,
    /// Keep-alive in s.
    pub keep_alive_s: u16,
    /// How long connecting may take, in ms.
    pub connect_timeout_ms: u64,
    /// How long to stay away after another client has taken the session over, in ms.
    pub taken_over_wait_ms: u64,
    /// Largest payload that is decoded; a larger one goes to the dead letters.
    pub payload_bytes_max: usize,
}

/// Section `[produce]`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct ProduceSettings {
    /// How long a record waits for others to share its batch, in ms.
    pub linger_ms: u32,
    /// Records in one batch of a partition, at most.
    pub batch_records_max: u32,
    /// How long no confirmation may come, with messages in flight, before the service says it is not ready, in ms.
    pub stalled_after_ms: u64,
    /// Longest wait before a producer that met a wrong configuration is made anew, in ms.
    pub retry_wait_ms_max: u64,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceSettings::with_admin_port(9401),
            mqtt: MqttSettings::default(),
            kafka: KafkaSettings::default(),
            produce: ProduceSettings::default(),
            window: WindowSettings::default(),
            limits: Limits::default(),
            families: vec!["all".to_owned()],
            routes: Vec::new(),
        }
    }
}

impl ServiceConfig for Config {
    fn service(&self) -> &ServiceSettings {
        &self.service
    }

    fn validate(&self) -> anyhow::Result<()> {
        self.mqtt.validate()?;
        self.kafka.client_config("check")?;
        let routes = Routes::new(&self.routes, &self.families)?;
        let subscribed = |filter: &str| self.mqtt.filters.iter().any(|wider| overlap(wider, filter));
        let own = routes.all().iter().take(self.routes.len());
        if let Some(route) =
            own.into_iter().find(|route| !self.mqtt.filters.is_empty() && !subscribed(&route.filter))
        {
            bail!(
                "routes: {:?} ({}) can never match: none of mqtt.filters {:?} brings such a topic",
                route.filter,
                route.decoder,
                self.mqtt.filters
            );
        }
        let WindowSettings { messages_max, records_max, bytes_max } = self.window;
        let received = usize::from(self.mqtt.receive_maximum);
        ensure!(
            messages_max >= received,
            "window.messages_max is {messages_max}, must be at least mqtt.receive_maximum ({received})"
        );
        ensure!(
            (READINGS_PER_MESSAGE_MAX..=10_000_000).contains(&records_max),
            "window.records_max is {records_max}, must be {READINGS_PER_MESSAGE_MAX} (the records of one message) to 10000000"
        );
        ensure!(
            (2 * PACKET_BYTES_MAX..=1 << 40).contains(&bytes_max),
            "window.bytes_max is {bytes_max}, must be at least {} (twice the largest packet)",
            2 * PACKET_BYTES_MAX
        );
        ensure!(
            (1..=1_000_000).contains(&self.produce.batch_records_max),
            "produce.batch_records_max is {}, must be 1 to 1000000",
            self.produce.batch_records_max
        );
        ensure!(
            self.produce.linger_ms <= 1000,
            "produce.linger_ms is {}, must be at most 1000",
            self.produce.linger_ms
        );
        ensure!(
            self.produce.retry_wait_ms_max >= 100,
            "produce.retry_wait_ms_max is {}, must be at least 100",
            self.produce.retry_wait_ms_max
        );
        Ok(())
    }
}

// === impl MqttSettings ===

impl Default for MqttSettings {
    fn default() -> Self {
        Self {
            url: "mqtt://127.0.0.1:1883".to_owned(),
            client_id: "wattline-ingest-0".to_owned(),
            username: String::new(),
            password_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
            group: "wattline".to_owned(),
            filters: Vec::new(),
            receive_maximum: 10_000,
            session_expiry_s: 14 * 24 * 60 * 60,
            keep_alive_s: 30,
            connect_timeout_ms: 10_000,
            taken_over_wait_ms: 60_000,
            payload_bytes_max: 64 * 1024,
        }
    }
}

impl MqttSettings {
    /// The broker's host, port, and whether by TLS.
    ///
    /// # Errors
    /// Names what is wrong with `mqtt.url`.
    pub fn address(&self) -> anyhow::Result<(String, u16, bool)> {
        let example = "write mqtt://host:1883 or mqtts://host:8883";
        let url =
            Url::parse(&self.url).with_context(|| format!("mqtt.url {:?} is no URL: {example}", self.url))?;
        let (tls, port) = match url.scheme() {
            "mqtt" => (false, 1883),
            "mqtts" => (true, 8883),
            other => bail!("mqtt.url has the scheme {other:?}: {example}"),
        };
        ensure!(
            url.username().is_empty() && url.password().is_none(),
            "mqtt.url must not hold a password: use mqtt.username and mqtt.password_file"
        );
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .with_context(|| format!("mqtt.url {:?} has no host: {example}", self.url))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok((host, url.port().unwrap_or(port), tls))
    }

    fn validate(&self) -> anyhow::Result<()> {
        self.address()?;
        ensure!(
            !self.client_id.is_empty() && self.client_id.len() <= 256,
            "mqtt.client_id must have 1 to 256 bytes: the broker keeps the session under it"
        );
        ensure!(
            !self.group.contains(['/', '+', '#', '\0']),
            "mqtt.group is {:?}, must be a name without /, + and #, or empty",
            self.group
        );
        for filter in &self.filters {
            check_filter(filter).context("mqtt.filters")?;
        }
        ensure!(
            self.receive_maximum >= 16,
            "mqtt.receive_maximum is {}, must be at least 16",
            self.receive_maximum
        );
        ensure!(
            self.session_expiry_s >= 3600,
            "mqtt.session_expiry_s is {}, must be at least 3600: what waits in an expired session is lost",
            self.session_expiry_s
        );
        ensure!(self.keep_alive_s >= 5, "mqtt.keep_alive_s is {}, must be at least 5", self.keep_alive_s);
        ensure!(
            self.payload_bytes_max <= PACKET_BYTES_MAX,
            "mqtt.payload_bytes_max is {}, must be at most {PACKET_BYTES_MAX}",
            self.payload_bytes_max
        );
        ensure!(
            !self.username.is_empty() || self.password_file.as_os_str().is_empty(),
            "mqtt.password_file is set without mqtt.username"
        );
        let given = |file: &PathBuf| !file.as_os_str().is_empty();
        ensure!(
            given(&self.cert_file) == given(&self.key_file),
            "mqtt.cert_file and mqtt.key_file need each other"
        );
        ensure!(!given(&self.cert_file) || given(&self.ca_file), "mqtt.cert_file needs mqtt.ca_file");
        Ok(())
    }
}

// === impl ProduceSettings ===

impl Default for ProduceSettings {
    fn default() -> Self {
        Self { linger_ms: 20, batch_records_max: 10_000, stalled_after_ms: 10_000, retry_wait_ms_max: 30_000 }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sample() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/mqtt-ingest.toml")
    }

    #[test]
    fn the_sample_says_the_defaults() {
        let config: Config = wattline_service::config::load_from(Some(&sample()), [].into()).unwrap();
        assert_eq!(config, Config::default());
    }

    #[test]
    fn the_sample_shows_every_setting() {
        let text = std::fs::read_to_string(sample()).unwrap();
        let shown = format!("{:#?}", Config::default());
        let keys = shown.lines().filter_map(|line| {
            let (key, value) = line.trim().split_once(": ")?;
            (!value.ends_with('{') && key != "routes").then_some(key)
        });
        for key in keys {
            assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_to_write() {
        for (key, value, words) in [
            ("MQTT__URL", "127.0.0.1:1883", "mqtt://host:1883"),
            ("MQTT__URL", "http://x", "scheme"),
            ("MQTT__URL", "mqtt://u:p@x", "mqtt.password_file"),
            ("MQTT__GROUP", "a/b", "mqtt.group"),
            ("MQTT__SESSION_EXPIRY_S", "0", "is lost"),
            ("MQTT__RECEIVE_MAXIMUM", "1", "mqtt.receive_maximum"),
            ("MQTT__PASSWORD_FILE", "/x", "without mqtt.username"),
            ("MQTT__CERT_FILE", "/x", "mqtt.key_file"),
            ("WINDOW__MESSAGES_MAX", "100", "mqtt.receive_maximum (10000)"),
            ("WINDOW__BYTES_MAX", "1000", "window.bytes_max"),
            ("WINDOW__RECORDS_MAX", "1", "window.records_max"),
            ("PRODUCE__LINGER_MS", "5000", "produce.linger_ms"),
            ("PRODUCE__LINGER", "5", "linger_ms"),
        ] {
            let environment = [(format!("WATTLINE__{key}"), value.to_owned())].into();
            let error = wattline_service::config::load_from::<Config>(None, environment).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(words), "{key}={value}: {error}");
        }
    }

    #[test]
    fn addresses_have_their_default_ports() {
        let address = |url: &str| {
            let settings = MqttSettings { url: url.to_owned(), ..MqttSettings::default() };
            settings.address().unwrap()
        };
        assert_eq!(address("mqtt://broker"), ("broker".to_owned(), 1883, false));
        assert_eq!(address("mqtts://broker"), ("broker".to_owned(), 8883, true));
        assert_eq!(address("mqtt://[::1]:99"), ("::1".to_owned(), 99, false));
    }
}
