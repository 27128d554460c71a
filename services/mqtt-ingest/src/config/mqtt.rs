//! One broker: how to reach it, and what to take from it.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_routes::{PAYLOAD_BYTES_MAX, check_filter, overlap};
use wattline_service::config::{absent_if_empty, list};
use wattline_service::mqtt::BrokerAddress;

/// Section `[mqtt]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttSettings {
    /// "mqtt://host:1883" or "mqtts://host:8883". The broker must speak MQTT 5 and have shared subscriptions.
    pub url: String,
    /// Stable over restarts and never shared by two processes: the broker keeps the session, and with it what waits for this
    /// replica, under this name. In a StatefulSet: the ordinal at its end.
    pub client_id: String,
    /// User. Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub username: Option<String>,
    /// File that holds its password. Empty: none. Files are read again after a refusal.
    #[serde(deserialize_with = "absent_if_empty")]
    pub password_file: Option<PathBuf>,
    /// Authorities that sign the broker's certificate (PEM), for mqtts. Empty: the system's.
    #[serde(deserialize_with = "absent_if_empty")]
    pub ca_file: Option<PathBuf>,
    /// Client certificate with its chain (PEM), for mqtts. Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub cert_file: Option<PathBuf>,
    /// Its key (PEM). Empty: none.
    #[serde(deserialize_with = "absent_if_empty")]
    pub key_file: Option<PathBuf>,
    /// Replicas with the same group share the messages: `$share/<group>/<filter>`. Empty: an ordinary subscription, for a
    /// single replica. Mosquitto forgets shared subscriptions over its own restart until their members are back, and what is
    /// published in between is lost; ordinary ones it keeps.
    #[serde(deserialize_with = "absent_if_empty")]
    pub group: Option<String>,
    /// Filters to subscribe to, without `$share`. Empty: those of the routes. Wider ones, as "wattline/#", put messages that no
    /// route takes into the dead letters, where one sees them. No two may have a topic in common. Those of the routes may: of a
    /// message that several bring, one copy counts, where the broker says by which subscription a copy comes, as Mosquitto
    /// does (leave its `allow_duplicate_messages` at true). Artemis doesn't: name the families there.
    #[serde(deserialize_with = "list")]
    pub filters: Vec<String>,
    /// Families such as Sparkplug must see all messages of a device, so one replica has a subscription of its own for them:
    /// "yes", "no", or "auto": the one whose `client_id` ends in no number, or in 0.
    pub memory_routes: MemoryRoutes,
    /// Subscriptions to end, written as they were made ("$share/wattline/old/#"); one that is wanted stays. Needed only where
    /// the watchdog is off or not allowed: else the session's subscriptions are known from the list that the broker keeps.
    #[serde(deserialize_with = "list")]
    pub unsubscribe: Vec<String>,
    /// How many messages the broker may send ahead of their acknowledgement. Across a network: at least rate × round trip.
    pub receive_maximum: u16,
    /// How long the broker keeps the session while this process is away, in s: longer than any outage, for a broker such as
    /// Mosquitto deals messages to absent members of the group too, and what waits in an expired session is lost.
    pub session_expiry_s: u32,
    /// Keep-alive, in s.
    pub keep_alive_s: u16,
    /// How long connecting may take, in ms.
    pub connect_timeout_ms: u64,
    /// How long to stay away after another client has connected with the same client id, in ms.
    pub taken_over_wait_ms: u64,
    /// A connection that brings nothing for this long, not even what this process sends to itself, is given up, in ms.
    /// 0: never.
    pub watchdog_ms: u64,
    /// Below this topic each replica publishes and reads its canaries, and has the broker keep the list of its subscriptions.
    /// The user must be allowed both on wattline-canary/#; no meter should be.
    pub canary_topic: String,
    /// A Sparkplug node whose aliases are not known, after a restart for one, is asked for its BIRTH: once a minute, by a
    /// command on `spBv1.0/<group>/NCMD/<node>`, which the user must be allowed to publish.
    pub sparkplug_rebirth: bool,
    /// A larger payload goes to the dead letters.
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
            username: None,
            password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            group: Some("wattline".to_owned()),
            filters: Vec::new(),
            memory_routes: MemoryRoutes::default(),
            unsubscribe: Vec::new(),
            receive_maximum: 10_000,
            session_expiry_s: 14 * 24 * 60 * 60,
            keep_alive_s: 10,
            connect_timeout_ms: 3000,
            taken_over_wait_ms: 60_000,
            watchdog_ms: 10_000,
            canary_topic: "wattline-canary".to_owned(),
            sparkplug_rebirth: false,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
        }
    }
}

impl MqttSettings {
    /// Where the broker is.
    ///
    /// # Errors
    /// Names what is wrong with `mqtt.url`.
    pub fn address(&self) -> anyhow::Result<BrokerAddress> {
        BrokerAddress::parse(&self.url)
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
        let group = self.group.as_deref().unwrap_or_default();
        ensure!(
            !group.contains(['/', '+', '#', '\0']),
            "mqtt.group is {group:?}, must be a name without /, + and #, or empty"
        );
        for filter in &self.filters {
            check_filter(filter).context("mqtt.filters")?;
        }
        let pairs = self
            .filters
            .iter()
            .enumerate()
            .flat_map(|(at, one)| self.filters[at + 1..].iter().map(move |other| (one, other)));
        for (one, other) in pairs {
            ensure!(
                !overlap(one, other),
                "mqtt.filters: {one:?} and {other:?} take some topics both, of which a broker brings each message twice: \
                 make them one that covers both, or two that have no topic in common"
            );
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
            self.username.is_some() || self.password_file.is_none(),
            "mqtt.password_file is set without mqtt.username"
        );
        ensure!(
            self.cert_file.is_some() == self.key_file.is_some(),
            "mqtt.cert_file and mqtt.key_file need each other"
        );
        Ok(())
    }
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
    fn one_replica_takes_the_routes_with_memory() {
        for (client_id, takes) in [("ingest", true), ("ingest-0", true), ("ingest-1", false), ("i-10", false)]
        {
            let settings = MqttSettings { client_id: client_id.to_owned(), ..MqttSettings::default() };
            assert_eq!(settings.takes_memory_routes(), takes, "{client_id}");
        }
    }
}
