//! One broker: how to reach it, and what to take from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use url::Url;
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_routes::check_filter;
use wattline_service::config::list;

/// Section `[mqtt]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
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
    /// Client certificate with its chain (PEM), for `mqtts`.
    pub cert_file: PathBuf,
    /// Its key (PEM).
    pub key_file: PathBuf,
    /// Group of the shared subscription: `$share/<group>/<filter>`. Empty: an ordinary one, for a single replica.
    pub group: String,
    /// Filters to subscribe to. Empty: those of the routes.
    #[serde(deserialize_with = "list")]
    pub filters: Vec<String>,
    /// Whether this replica takes the routes of families that need all messages of a device (Sparkplug).
    pub memory_routes: MemoryRoutes,
    /// Subscriptions to end, written as they were made; what a session has kept is usually known without.
    #[serde(deserialize_with = "list")]
    pub unsubscribe: Vec<String>,
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
    /// How long nothing may come back of what the watchdog sends, and nothing else either, in ms. 0: no watchdog.
    pub watchdog_ms: u64,
    /// Below this topic each replica sends its canaries and keeps the list of its subscriptions.
    pub canary_topic: String,
    /// A Sparkplug node whose aliases are not known is asked for its BIRTH, by a command to it.
    pub sparkplug_rebirth: bool,
    /// Largest payload that is decoded; a larger one goes to the dead letters.
    pub payload_bytes_max: usize,
}

/// Who subscribes to the routes of which one replica must see all messages.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryRoutes {
    /// The replica whose `client_id` ends in no ordinal, or in 0.
    #[default]
    Auto,
    /// This one.
    Yes,
    /// Another one.
    No,
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
            memory_routes: MemoryRoutes::default(),
            unsubscribe: Vec::new(),
            receive_maximum: 10_000,
            session_expiry_s: 14 * 24 * 60 * 60,
            keep_alive_s: 30,
            connect_timeout_ms: 10_000,
            taken_over_wait_ms: 60_000,
            watchdog_ms: 30_000,
            canary_topic: "wattline-canary".to_owned(),
            sparkplug_rebirth: false,
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

    /// Whether this replica subscribes to the routes of families with memory.
    #[must_use]
    pub fn takes_memory_routes(&self) -> bool {
        match self.memory_routes {
            MemoryRoutes::Yes => true,
            MemoryRoutes::No => false,
            MemoryRoutes::Auto => {
                let without = self.client_id.trim_end_matches(|digit: char| digit.is_ascii_digit());
                let ordinal = &self.client_id[without.len()..];
                ordinal.is_empty() || ordinal.trim_start_matches('0').is_empty()
            }
        }
    }

    pub(super) fn validate(&self) -> anyhow::Result<()> {
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
        for filter in &self.unsubscribe {
            check_filter(unshared(filter)).context("mqtt.unsubscribe")?;
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
        self.validate_watchdog()?;
        self.validate_identity()
    }

    fn validate_watchdog(&self) -> anyhow::Result<()> {
        ensure!(
            self.watchdog_ms == 0 || self.watchdog_ms >= 1000,
            "mqtt.watchdog_ms is {}, must be at least 1000, or 0 for no watchdog",
            self.watchdog_ms
        );
        let topic = &self.canary_topic;
        ensure!(
            check_filter(topic).is_ok() && !topic.contains(['+', '#']) && !topic.starts_with('$'),
            "mqtt.canary_topic is {topic:?}, must be a topic without + and #"
        );
        Ok(())
    }

    fn validate_identity(&self) -> anyhow::Result<()> {
        ensure!(
            !self.username.is_empty() || !given(&self.password_file),
            "mqtt.password_file is set without mqtt.username"
        );
        ensure!(
            given(&self.cert_file) == given(&self.key_file),
            "mqtt.cert_file and mqtt.key_file need each other"
        );
        Ok(())
    }
}

/// Whether a file is configured.
pub(crate) fn given(file: &Path) -> bool {
    !file.as_os_str().is_empty()
}

/// A subscription's filter without `$share/<group>/`.
pub(crate) fn unshared(subscription: &str) -> &str {
    let inner = subscription.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    inner.map_or(subscription, |(_, filter)| filter)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn one_replica_takes_the_routes_with_memory() {
        for (client_id, takes) in [("ingest", true), ("ingest-0", true), ("ingest-1", false), ("i-10", false)]
        {
            let settings = MqttSettings { client_id: client_id.to_owned(), ..MqttSettings::default() };
            assert_eq!(settings.takes_memory_routes(), takes, "{client_id}");
        }
    }
}
