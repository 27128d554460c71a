//! `--check`: each connection once, without taking a message from anybody.

use std::time::Duration;

use wattline_routes::Routes;
use wattline_service::{ConnectionCheck, KafkaSettings, ServiceConfig, ServiceSettings, TraceSettings};

use crate::config::{Broker, Config, MqttSettings};
use crate::connection::{Event, Session, Subscriptions};
use crate::produce::check_topics;

/// How long an answer to a request on a connection that stands may take.
const ANSWER: Duration = Duration::from_secs(5);

// Here and not beside `Config`: it needs everything that needs a configuration.
impl ServiceConfig for Config {
    fn service(&self) -> &ServiceSettings {
        &self.service
    }

    fn traces(&self) -> &TraceSettings {
        &self.traces
    }

    fn check_connections(&self) -> impl Future<Output = Vec<ConnectionCheck>> {
        connections(self)
    }

    fn validate(&self) -> anyhow::Result<()> {
        self.check()
    }
}

/// Tries every connection of the configuration at the same time.
async fn connections(config: &Config) -> Vec<ConnectionCheck> {
    let brokers = match config.brokers() {
        Ok(brokers) => brokers,
        Err(error) => return vec![ConnectionCheck::of("brokers".to_owned(), Err(error))],
    };
    let trials: Vec<_> = brokers.into_iter().map(|broker| tokio::spawn(try_broker(broker))).collect();
    let kafka = try_kafka(&config.kafka).await;
    let mut checks = Vec::with_capacity(trials.len() + 1);
    for trial in trials {
        match trial.await {
            Ok(check) => checks.push(check),
            Err(error) => checks.push(ConnectionCheck::of("broker".to_owned(), Err(error.into()))),
        }
    }
    checks.push(kafka);
    checks
}

async fn try_kafka(kafka: &KafkaSettings) -> ConnectionCheck {
    let name = format!("kafka {}", kafka.brokers);
    let outcome = check_topics(kafka).await;
    ConnectionCheck::of(name, outcome.map(|()| "both topics are there and as they must be".to_owned()))
}

async fn try_broker(broker: Broker) -> ConnectionCheck {
    let name = format!("broker {} {}", broker.name, broker.mqtt.url);
    let deadline = Duration::from_millis(broker.mqtt.connect_timeout_ms) + ANSWER;
    let outcome = tokio::time::timeout(deadline, trial(&broker)).await.unwrap_or_else(|_| {
        Err(anyhow::anyhow!("the connection stands, but the broker does not answer the subscription"))
    });
    ConnectionCheck::of(name, outcome)
}

/// With a client id of its own, a session that ends with the connection, and a group of its own: the session of a
/// running replica and its messages stay untouched.
async fn trial(broker: &Broker) -> anyhow::Result<String> {
    let routes = Routes::new(&broker.routes, &broker.families)?;
    let client_id = format!("{}-check-{:08x}", broker.mqtt.client_id, rand::random::<u32>());
    let settings = MqttSettings { client_id, ..broker.mqtt.clone() };
    let subscriptions = Subscriptions::trial(&settings, &routes);
    let (filters, canary_topic) = (subscriptions.wanted().len(), subscriptions.canary_topic().to_owned());
    let mut session = Session::trial(&settings, subscriptions)?;
    let outbox = session.outbox();
    let canary_allowed = loop {
        match session.next().await {
            Event::Subscribed { canary } => break canary,
            Event::Lost(loss) => anyhow::bail!("{}", loss.detail),
            Event::Opened { .. } | Event::Message(_) | Event::Canary(_) | Event::FarewellAnswered => {}
        }
    };
    let user = settings.username.as_ref();
    let user = user.map_or_else(|| "without a user".to_owned(), |user| format!("as {user:?}"));
    let mut words = format!("connected {user}, may subscribe to all {filters} filters");
    if settings.watchdog_ms > 0 {
        let returned = canary_allowed && {
            let _ = outbox.publish(&canary_topic, "", false);
            tokio::time::timeout(ANSWER, canary(&mut session)).await.unwrap_or(false)
        };
        if !returned {
            words.push_str(&format!(
                "; no canary comes back on {canary_topic}, so the watchdog will be of no use: let the user publish and \
                 read {}/#, or set mqtt.watchdog_ms = 0",
                settings.canary_topic
            ));
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), session.close()).await;
    Ok(words)
}

async fn canary(session: &mut Session) -> bool {
    loop {
        match session.next().await {
            Event::Canary(_) => return true,
            Event::Lost(_) => return false,
            _ => {}
        }
    }
}
