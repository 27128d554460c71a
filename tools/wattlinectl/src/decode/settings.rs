//! What a configuration of mqtt-ingest says of how messages are judged. The keys of connections are not read: whoever
//! decodes a message needs neither the broker's certificates nor Kafka's password.

use serde::Deserialize;
use serde::de::IgnoredAny;
use wattline_reading::Limits;
use wattline_routes::{ALL_FAMILIES, Judge, PAYLOAD_BYTES_MAX, RouteSettings, Routes};
use wattline_service::config::list;
use wattline_service::{ServiceConfig, ServiceSettings};

/// The whole file, so that a misspelt section is refused.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    #[serde(deserialize_with = "list")]
    families: Vec<String>,
    routes: Vec<RouteSettings>,
    limits: Limits,
    mqtt: Mqtt,
    pub(super) broker: Vec<Broker>,
    service: ServiceSettings,
    #[serde(rename = "traces")]
    _traces: IgnoredAny,
    #[serde(rename = "kafka")]
    _kafka: IgnoredAny,
    #[serde(rename = "clock")]
    _clock: IgnoredAny,
    #[serde(rename = "produce")]
    _produce: IgnoredAny,
    #[serde(rename = "window")]
    _window: IgnoredAny,
    #[serde(rename = "dead_letters")]
    _dead_letters: IgnoredAny,
}

/// Of `[mqtt]`.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Mqtt {
    payload_bytes_max: usize,
}

/// Of one `[[broker]]`.
#[derive(Debug, Deserialize)]
pub(super) struct Broker {
    pub(super) name: String,
    families: Option<Vec<String>>,
    routes: Option<Vec<RouteSettings>>,
    payload_bytes_max: Option<usize>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            families: vec![ALL_FAMILIES.to_owned()],
            routes: Vec::new(),
            limits: Limits::default(),
            mqtt: Mqtt::default(),
            broker: Vec::new(),
            service: ServiceSettings::default(),
            _traces: IgnoredAny,
            _kafka: IgnoredAny,
            _clock: IgnoredAny,
            _produce: IgnoredAny,
            _window: IgnoredAny,
            _dead_letters: IgnoredAny,
        }
    }
}

impl ServiceConfig for Settings {
    fn service(&self) -> &ServiceSettings {
        &self.service
    }
}

impl Settings {
    /// What holds for messages of `broker`; without one, what stands outside of `[[broker]]`.
    ///
    /// # Errors
    /// What is wrong with the routes.
    pub(super) fn judge(&self, broker: Option<&Broker>) -> anyhow::Result<Judge> {
        let families = broker.and_then(|own| own.families.as_ref()).unwrap_or(&self.families);
        let routes = broker.and_then(|own| own.routes.as_ref()).unwrap_or(&self.routes);
        let bytes = broker.and_then(|own| own.payload_bytes_max).unwrap_or(self.mqtt.payload_bytes_max);
        Ok(Judge {
            routes: Routes::new(routes, families)?,
            limits: self.limits.clone(),
            payload_bytes_max: bytes,
        })
    }
}

// === impl Mqtt ===

impl Default for Mqtt {
    fn default() -> Self {
        Self { payload_bytes_max: PAYLOAD_BYTES_MAX }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn load(text: &str) -> anyhow::Result<Settings> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        wattline_service::config::load_from(Some(file.path()), [].into())
    }

    #[test]
    fn the_sample_judges_as_the_defaults_do() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/mqtt-ingest.toml");
        let sample: Settings = wattline_service::config::load_from(Some(&sample), [].into()).unwrap();
        let (said, defaults) = (sample.judge(None).unwrap(), Settings::default().judge(None).unwrap());
        assert_eq!(said.limits, defaults.limits);
        assert_eq!(said.payload_bytes_max, defaults.payload_bytes_max);
        assert_eq!(said.routes.filters(), defaults.routes.filters());
    }

    #[test]
    fn a_broker_has_its_own_before_the_common() {
        let settings = load(
            "families = [\"tasmota\"]\n[mqtt]\npayload_bytes_max = 1000\nurl = \"mqtt://x\"\n\
             [kafka]\npassword_file = \"/nowhere\"\nsecurity = \"sasl-tls\"\n\
             [[broker]]\nname = \"a\"\nurl = \"mqtt://a\"\n\
             [[broker]]\nname = \"b\"\nurl = \"mqtt://b\"\nfamilies = []\npayload_bytes_max = 7\n\
             [[broker.routes]]\nfilter = \"meters/+\"\ndecoder = \"wattline-json\"",
        )
        .unwrap();
        let filters = |broker: Option<&Broker>| settings.judge(broker).unwrap().routes.filters();
        let bytes = |broker: Option<&Broker>| settings.judge(broker).unwrap().payload_bytes_max;
        let [a, b] = &settings.broker[..] else { panic!("two brokers") };
        assert_eq!(filters(Some(a)), filters(None));
        assert_eq!((filters(Some(b)), bytes(Some(b))), (vec!["meters/+".to_owned()], 7));
        assert_eq!((bytes(None), bytes(Some(a))), (1000, 1000));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("familes = []", "familes"),
            ("[limit]\npower_w_max = 3", "limit"),
            ("[limits]\npower_max = 3", "power_max"),
            ("[[routes]]\nfilter = \"a\"", "decoder"),
        ] {
            let error = format!("{:#}", load(text).unwrap_err());
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
