//! The network between the services and the servers: a proxy before each server. Who tests goes straight.

use anyhow::Context as _;
use wattline_localstack::{Proxy, Server, ServerKind, Stack};

/// What is before the broker and the database; Kafka's proxies are its stack's, for it must advertise them.
pub struct Network {
    mqtt: Proxy,
    database: Proxy,
}

// === impl Network ===

impl Network {
    pub(crate) async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let before = async |server: &Server| {
            Proxy::start(server.address()).await.with_context(|| format!("a proxy before {}", server.name()))
        };
        Ok(Self { mqtt: before(stack.mosquitto()).await?, database: before(stack.timescale()).await? })
    }

    /// Replaces the servers' addresses in a service's environment.
    pub(crate) fn lead_through(&self, environment: &mut [(String, String)], stack: &Stack) {
        for (server, proxy) in [(stack.mosquitto(), &self.mqtt), (stack.timescale(), &self.database)] {
            for (_, value) in environment.iter_mut() {
                *value = value.replace(&server.address().to_string(), &proxy.addr().to_string());
            }
        }
    }

    /// What is before the servers of a kind.
    #[must_use]
    pub fn before<'a>(&'a self, kind: ServerKind, stack: &'a Stack) -> Vec<&'a Proxy> {
        match kind {
            ServerKind::Mosquitto | ServerKind::Artemis => vec![&self.mqtt],
            ServerKind::Kafka => stack.kafka_proxies().iter().collect(),
            ServerKind::Timescale | ServerKind::Patroni => vec![&self.database],
        }
    }

    /// Passes everything on again.
    pub(crate) fn heal(&self, stack: &Stack) {
        [&self.mqtt, &self.database].into_iter().chain(stack.kafka_proxies()).for_each(Proxy::restore);
    }
}
