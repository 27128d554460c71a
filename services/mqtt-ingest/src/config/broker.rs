//! Several brokers: each says what differs from section `[mqtt]`.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use wattline_routes::RouteSettings;
use wattline_service::mqtt::BrokerAddress;

use super::{Config, MqttSettings};

/// What a process can be expected to hold connections and windows for.
const BROKERS_MAX: usize = 32;
/// What the only broker is called in metrics.
const ONLY: &str = "mqtt";

/// One `[[broker]]`: any key of `[mqtt]`, and these.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct BrokerSettings {
    /// How logs, metrics and `/readyz` call it.
    pub name: String,
    /// Its own, in place of the common ones.
    pub families: Option<Vec<String>>,
    /// Its own, in place of the common ones.
    pub routes: Option<Vec<RouteSettings>>,
    /// Keys of `[mqtt]`.
    #[serde(flatten)]
    pub mqtt: Map<String, Value>,
}

/// A broker with everything that it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    /// How logs, metrics and `/readyz` call it.
    pub name: String,
    /// How to reach it.
    pub mqtt: MqttSettings,
    /// Whose default routes are on.
    pub families: Vec<String>,
    /// The routes before those.
    pub routes: Vec<RouteSettings>,
}

impl Config {
    /// All brokers: those of `[[broker]]`, or the one of `[mqtt]`.
    ///
    /// # Errors
    /// Names the broker and the key that is wrong.
    pub fn brokers(&self) -> anyhow::Result<Vec<Broker>> {
        let (families, routes) = (&self.families, &self.routes);
        if self.broker.is_empty() {
            let (name, mqtt) = (ONLY.to_owned(), self.mqtt.clone());
            return Ok(vec![Broker { name, mqtt, families: families.clone(), routes: routes.clone() }]);
        }
        let count = self.broker.len();
        ensure!(count <= BROKERS_MAX, "there are {count} brokers, at most {BROKERS_MAX} in one process");
        let mut brokers: Vec<Broker> = Vec::with_capacity(count);
        let mut sessions = BTreeSet::new();
        for settings in &self.broker {
            let name = settings.name.clone();
            ensure!(
                is_name(&name) && brokers.iter().all(|other| other.name != name),
                "broker: the name {name:?} must be another one for each, of a-z, 0-9, - and _, 40 at most"
            );
            let mqtt = settings.over(&self.mqtt).with_context(|| format!("broker {name:?}"))?;
            let BrokerAddress { host, port, .. } =
                mqtt.address().with_context(|| format!("broker {name:?}"))?;
            ensure!(
                sessions.insert((host, port, mqtt.client_id.clone())),
                "broker {name:?} has the address and the mqtt.client_id of another: they would throw each other out"
            );
            let families = settings.families.as_ref().unwrap_or(families).clone();
            let routes = settings.routes.as_ref().unwrap_or(routes).clone();
            brokers.push(Broker { name, mqtt, families, routes });
        }
        Ok(brokers)
    }
}

impl BrokerSettings {
    fn over(&self, shared: &MqttSettings) -> anyhow::Result<MqttSettings> {
        ensure!(self.mqtt.contains_key("url"), "url is missing");
        let mut merged = serde_json::to_value(shared).context("[mqtt]")?;
        if let Value::Object(merged) = &mut merged {
            merged.extend(self.mqtt.clone());
        }
        Ok(serde_json::from_value(merged)?)
    }
}

fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=40).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let environment =
            environment.iter().map(|(key, value)| (format!("WATTLINE__{key}"), (*value).to_owned()));
        wattline_service::config::load_from(Some(file.path()), environment.collect())
    }

    const TWO: &str = r#"
        [mqtt]
        username = "ingest"
        keep_alive_s = 60

        [[broker]]
        name = "street"
        url = "mqtt://a"
        families = ["tasmota"]

        [[broker]]
        name = "village"
        url = "mqtts://b"
        keep_alive_s = 20
        ca_file = "/ca.pem"
        families = []
        [[broker.routes]]
        filter = "meters/+/energy"
        decoder = "wattline-json"
    "#;

    #[test]
    fn each_broker_has_what_it_says_over_what_all_share() {
        let config = load(TWO, &[("MQTT__CLIENT_ID", "ingest-1")]).unwrap();
        let brokers = config.brokers().unwrap();
        let shown: Vec<_> = brokers.iter().map(|broker| (&*broker.name, &*broker.mqtt.url)).collect();
        assert_eq!(shown, [("street", "mqtt://a"), ("village", "mqtts://b")]);
        assert!(brokers.iter().all(|broker| broker.mqtt.username.as_deref() == Some("ingest")));
        assert!(brokers.iter().all(|broker| broker.mqtt.client_id == "ingest-1"), "by the environment");
        assert_eq!(brokers.iter().map(|broker| broker.mqtt.keep_alive_s).collect::<Vec<_>>(), [60, 20]);
        assert_eq!(brokers[0].families, ["tasmota"]);
        assert_eq!(brokers[1].routes[0].filter, "meters/+/energy");
    }

    #[test]
    fn without_a_list_there_is_one() {
        let config = load("[mqtt]\nurl = \"mqtt://a\"", &[]).unwrap();
        let brokers = config.brokers().unwrap();
        assert_eq!((brokers.len(), &*brokers[0].name, &*brokers[0].mqtt.url), (1, "mqtt", "mqtt://a"));
    }

    #[test]
    fn what_is_wrong_with_a_broker_is_named() {
        let one = "[[broker]]\nname = \"a\"\nurl = \"mqtt://x\"\n";
        for (text, words) in [
            ("[[broker]]\nname = \"a\"".to_owned(), vec!["\"a\"", "url is missing"]),
            (format!("{one}keepalive = 3"), vec!["\"a\"", "keepalive", "keep_alive_s"]),
            (format!("{one}keep_alive_s = 3"), vec!["\"a\"", "mqtt.keep_alive_s is 3"]),
            (format!("{one}keep_alive_s = \"x\""), vec!["\"a\"", "invalid type", "u16"]),
            (format!("{one}{one}"), vec!["\"a\"", "another one for each"]),
            (one.replace("\"a\"", "\"A b\""), vec!["A b", "a-z"]),
            (format!("{one}{}", one.replace("\"a\"", "\"b\"")), vec!["\"b\"", "throw each other out"]),
            (format!("{one}families = [\"x\"]"), vec!["\"a\"", "families"]),
        ] {
            let error = format!("{:#}", load(&text, &[]).unwrap_err());
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
