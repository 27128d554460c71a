//! Configuration: `config/mqtt-ingest.toml` shows every setting.

mod broker;
mod mqtt;

use anyhow::{Context, bail, ensure};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_reading::{Limits, READINGS_PER_MESSAGE_MAX};
use wattline_routes::{ALL_FAMILIES, RouteSettings, Routes, overlap};
use wattline_service::config::{Sample, Section, list};
use wattline_service::{KafkaSettings, ServiceSettings, TraceSettings};

use crate::clock::ClockSettings;
use crate::letters::DeadLetterSettings;
use crate::window::WindowSettings;

pub use broker::{Broker, BrokerSettings};
pub(crate) use mqtt::unshared;
pub use mqtt::{MemoryRoutes, MqttSettings};

/// mqtt-ingest: MQTT to Kafka; a message is acknowledged once Kafka has its readings.
#[derive(Clone, Debug, Deserialize, Documented, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What all services have.
    pub service: ServiceSettings,
    /// Where its traces go.
    pub traces: TraceSettings,
    /// The broker. With several, each is a `[[broker]]` (at the end of this file), and this is what they share.
    pub mqtt: MqttSettings,
    /// The cluster that readings go to.
    pub kafka: KafkaSettings,
    /// How this host's clock is watched.
    pub clock: ClockSettings,
    /// How records are produced.
    pub produce: ProduceSettings,
    /// What may be in flight: received and not confirmed by Kafka. Beyond it nothing is taken until all of it is confirmed,
    /// then the broker delivers the rest again; QoS 0 may fill half of it and is shed beyond. Each broker has its own. The
    /// process needs about 60 MiB + `bytes_max` × 2 + `records_max` × 0.6 KiB at most.
    pub window: WindowSettings,
    /// What is kept of messages that can't become readings.
    pub dead_letters: DeadLetterSettings,
    /// What is plausible.
    pub limits: Limits,
    /// Whose default routes are on: names of decoders (docs/formats.md), or "all". Each adds its topics to the subscription.
    #[serde(deserialize_with = "list")]
    pub families: Vec<String>,
    /// A route leads a topic to a decoder. It comes before the default routes of the families, and of two routes the more
    /// specific one counts. Only `filter` and `decoder` must be there; docs/formats.md says what else there is, and lists
    /// the decoders.
    ///
    /// ```toml
    /// [[routes]]
    /// filter = "site/+/energy/SENSOR"
    /// decoder = "tasmota"
    /// meter_id = "{2}"
    /// time_zone = "Europe/Berlin"
    /// ```
    #[serde(skip_serializing)]
    pub routes: Vec<RouteSettings>,
    /// Several brokers: each has a connection, a window and a producer of its own, and says what differs from `[mqtt]`;
    /// `name` and `url` must be there. `families` and `routes` replace the common ones. The same topic at two brokers is the
    /// same meter, unless their routes make other ids of it: meter_id = "village/{2}".
    ///
    /// ```toml
    /// [[broker]]
    /// name = "village"
    /// url = "mqtts://broker.village.example"
    /// ca_file = "/etc/wattline/village-ca.pem"
    /// cert_file = "/etc/wattline/village.pem"
    /// key_file = "/etc/wattline/village.key"
    /// families = []
    ///
    /// [[broker.routes]]
    /// filter = "tele/+/SENSOR"
    /// decoder = "tasmota"
    /// meter_id = "village/{2}"
    /// ```
    #[serde(skip_serializing)]
    pub broker: Vec<BrokerSettings>,
}

/// Section `[produce]`.
#[derive(Clone, Copy, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProduceSettings {
    /// How long a record waits for others to share its batch, in ms. Each message waits for its ack at least that long.
    pub linger_ms: u32,
    /// Records in one batch of a partition, at most.
    pub batch_records_max: u32,
    /// With messages in flight and no confirmation for this long, `/readyz` says so, in ms.
    pub stalled_after_ms: u64,
    /// Longest wait between two tries after an error that retrying can't cure (no such topic, no right to write), in ms.
    pub retry_wait_ms_max: u64,
    /// How often Kafka is asked for the topics' numbers of partitions, in ms: where one has grown, nothing is taken any more,
    /// for each meter's readings would be spread over two partitions.
    pub topics_check_ms: u64,
}

// === impl Config ===

impl Sample for Config {
    const SECTIONS: &'static [Section] = &[
        Section::of::<ServiceSettings>("service"),
        Section::of::<TraceSettings>("traces"),
        Section::of::<MqttSettings>("mqtt"),
        Section::of::<KafkaSettings>("kafka"),
        Section::of::<ClockSettings>("clock"),
        Section::of::<ProduceSettings>("produce"),
        Section::of::<WindowSettings>("window"),
        Section::of::<DeadLetterSettings>("dead_letters"),
        Section::of::<Limits>("limits"),
    ];
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceSettings::with_admin_port(9401),
            traces: TraceSettings::default(),
            mqtt: MqttSettings::default(),
            kafka: KafkaSettings::default(),
            clock: ClockSettings::default(),
            produce: ProduceSettings::default(),
            window: WindowSettings::default(),
            dead_letters: DeadLetterSettings::default(),
            limits: Limits::default(),
            families: vec![ALL_FAMILIES.to_owned()],
            routes: Vec::new(),
            broker: Vec::new(),
        }
    }
}

impl Config {
    /// # Errors
    /// Names the key that is wrong and what to write.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.kafka.client_config("check")?;
        for broker in self.brokers()? {
            let checked = broker.mqtt.validate().and_then(|()| broker.check_routes());
            let checked = checked.and_then(|()| self.check_room(&broker.mqtt));
            // With one broker there is no doubt which is meant.
            if self.broker.is_empty() {
                checked?;
            } else {
                checked.with_context(|| format!("broker {:?}", broker.name))?;
            }
        }
        let WindowSettings { records_max, bytes_max, .. } = self.window;
        ensure!(
            (READINGS_PER_MESSAGE_MAX..=10_000_000).contains(&records_max),
            "window.records_max is {records_max}, must be {READINGS_PER_MESSAGE_MAX} (the records of one message) to 10000000"
        );
        ensure!(
            (2 * PACKET_BYTES_MAX..=1 << 40).contains(&bytes_max),
            "window.bytes_max is {bytes_max}, must be at least {} (twice the largest packet)",
            2 * PACKET_BYTES_MAX
        );
        // One letter of the largest packet must be possible under one prefix.
        let bytes_per_hour_min = 8 * PACKET_BYTES_MAX as u64;
        ensure!(
            self.dead_letters.bytes_per_hour_max >= bytes_per_hour_min,
            "dead_letters.bytes_per_hour_max is {}, must be at least {bytes_per_hour_min} (a letter of the largest packet under \
             one prefix)",
            self.dead_letters.bytes_per_hour_max
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

    fn check_room(&self, mqtt: &MqttSettings) -> anyhow::Result<()> {
        let (messages_max, received) = (self.window.messages_max, usize::from(mqtt.receive_maximum));
        ensure!(
            messages_max >= received,
            "window.messages_max is {messages_max}, must be at least mqtt.receive_maximum ({received})"
        );
        Ok(())
    }
}

impl Broker {
    fn check_routes(&self) -> anyhow::Result<()> {
        let routes = Routes::new(&self.routes, &self.families)?;
        let filters = &self.mqtt.filters;
        let subscribed = |filter: &str| filters.iter().any(|wider| overlap(wider, filter));
        let own = routes.all().iter().take(self.routes.len());
        if let Some(route) = own.into_iter().find(|route| !filters.is_empty() && !subscribed(&route.filter)) {
            bail!(
                "routes: {:?} ({}) can never match: none of mqtt.filters {filters:?} brings such a topic",
                route.filter,
                route.family,
            );
        }
        Ok(())
    }
}

// === impl ProduceSettings ===

impl Default for ProduceSettings {
    fn default() -> Self {
        Self {
            linger_ms: 20,
            batch_records_max: 10_000,
            stalled_after_ms: 10_000,
            retry_wait_ms_max: 30_000,
            topics_check_ms: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_writes_lists_with_commas() {
        let pairs = [
            ("FAMILIES", "tasmota,shelly"),
            ("MQTT__FILTERS", "a/#, b/+/c"),
            ("MQTT__UNSUBSCRIBE", "$share/old/a/#,b/#"),
            ("KAFKA__BROKERS", "a:1,b:2"),
        ];
        let environment = pairs.map(|(key, value)| (format!("WATTLINE__{key}"), value.to_owned()));
        let config: Config = wattline_service::config::load_from(None, environment.into()).unwrap();
        assert_eq!(config.families, ["tasmota", "shelly"]);
        assert_eq!(config.mqtt.filters, ["a/#", "b/+/c"]);
        assert_eq!(config.mqtt.unsubscribe, ["$share/old/a/#", "b/#"]);
        assert_eq!(config.kafka.client_config("test").unwrap().get("bootstrap.servers"), Some("a:1,b:2"));
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
            ("MQTT__WATCHDOG_MS", "10", "mqtt.watchdog_ms"),
            ("MQTT__CANARY_TOPIC", "a/#", "mqtt.canary_topic"),
            ("MQTT__FILTERS", "a/+,+/b", "have no topic in common"),
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
}
