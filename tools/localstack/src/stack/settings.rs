//! What clients and services are told: addresses, users, environments.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::database;
use crate::mosquitto::{self, Authority};
use crate::ports::Port;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::service::ServiceKind;
use crate::software::Role;

use super::{DATABASE, Stack};

const HTTP: &str = "http";

impl Stack {
    /// `mqtt://127.0.0.1:PORT`
    #[must_use]
    pub fn mqtt_url(&self) -> String {
        format!("mqtt://{}", self.mqtt().address())
    }

    /// `mqtts://127.0.0.1:PORT`, for a user with a password. Only with [`crate::StackOptions::mqtt_tls`]; this and the
    /// next two.
    #[must_use]
    pub fn mqtts_url(&self) -> String {
        format!("mqtts://{}", self.port("mosquitto-tls"))
    }

    /// `mqtts://127.0.0.1:PORT`, for a client with a certificate.
    #[must_use]
    pub fn mqtts_url_for_certificates(&self) -> String {
        format!("mqtts://{}", self.port("mosquitto-mtls"))
    }

    /// The broker's authority; it has signed the certificates `server` and `ingest`.
    pub fn mqtt_authority(&self) -> Result<Authority> {
        Authority::open(&mosquitto::tls_folder(&self.dir().join("mosquitto")))
    }

    /// Where the password of a broker user lies: `ingest`, `meters` or `observer`.
    #[must_use]
    pub fn mqtt_password_file(&self, user: &str) -> PathBuf {
        mosquitto::password_file(self.mqtt().password_folder().unwrap_or(self.dir()), user)
    }

    /// `bootstrap.servers`; the proxies, where there are any.
    #[must_use]
    pub fn kafka_brokers(&self) -> String {
        if self.kafka_proxies().is_empty() {
            return self.brokers("");
        }
        join(self.kafka_proxies().iter().map(Proxy::addr))
    }

    /// `bootstrap.servers` past the proxies: works while those are cut.
    #[must_use]
    pub fn kafka_brokers_direct(&self) -> String {
        self.brokers("-direct")
    }

    fn brokers(&self, listener: &str) -> String {
        let names = self.kafka_nodes().map(Server::name);
        join(names.map(|name| self.port(&format!("{name}{listener}"))))
    }

    /// The database `wattline` as its owner, a superuser.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url_as("postgres")
    }

    /// The database `wattline` as a role.
    #[must_use]
    pub fn database_url_as(&self, role: &str) -> String {
        self.database_url_of(DATABASE, role)
    }

    /// Another database of the same server as a role.
    #[must_use]
    pub fn database_url_of(&self, database: &str, role: &str) -> String {
        database::url(&self.database_addresses(), role, database)
    }

    /// A fresh database, empty or a copy of `template`, which nobody can connect to from then on. Returns its address
    /// for the superuser.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<String> {
        database::create_from(&self.database_addresses(), name, template).await?;
        Ok(self.database_url_of(name, "postgres"))
    }

    /// Drops a database with everybody who is connected to it.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        database::drop(&self.database_addresses(), name).await
    }

    pub(super) fn database_addresses(&self) -> Vec<SocketAddr> {
        self.of_role(Role::Database).map(Server::address).collect()
    }

    /// The environment of a service's replica, from 0: client ids, instance ids and ports are its own and stay.
    pub fn service_env(&self, kind: ServiceKind, ordinal: u16) -> Result<Vec<(String, String)>> {
        let mut variables =
            vec![("SERVICE__ADMIN_LISTEN", self.service_port(kind, ordinal, "admin")?.to_string())];
        variables.push(("KAFKA__BROKERS", self.kafka_brokers()));
        match kind {
            ServiceKind::MqttIngest => variables.extend([
                ("MQTT__URL", self.mqtt_url()),
                ("MQTT__CLIENT_ID", format!("wattline-ingest-{ordinal}")),
                ("MQTT__USERNAME", "ingest".to_owned()),
                ("MQTT__PASSWORD_FILE", self.mqtt_password_file("ingest").display().to_string()),
                ("MQTT__GROUP", "wattline".to_owned()),
            ]),
            ServiceKind::TimescaleSink => variables.extend([
                ("KAFKA__INSTANCE_ID", format!("sink-{ordinal}")),
                ("DATABASE__URL", self.database_url_as("wattline_sink")),
            ]),
            ServiceKind::Aggregator => variables.extend([
                ("KAFKA__INSTANCE_ID", format!("aggregator-{ordinal}")),
                ("DATABASE__URL", self.database_url_as("wattline_aggregator")),
            ]),
            ServiceKind::QueryApi => variables.extend([
                ("DATABASE__URL", self.database_url_as("wattline_api")),
                ("HTTP__LISTEN", self.service_port(kind, ordinal, HTTP)?.to_string()),
                ("HTTP__DEVELOPMENT", "true".to_owned()),
            ]),
        }
        Ok(variables.into_iter().map(|(name, value)| (format!("WATTLINE__{name}"), value)).collect())
    }

    /// Where query-api's only replica serves the live page and GraphQL.
    pub fn http_address(&self) -> Result<SocketAddr> {
        self.service_port(ServiceKind::QueryApi, 0, HTTP)
    }

    /// A reserved port of a service's replica; the same at each call.
    fn service_port(&self, kind: ServiceKind, ordinal: u16, listener: &str) -> Result<SocketAddr> {
        let mut ports = self.ports.lock();
        let name = format!("{kind}-{ordinal}-{listener}");
        if let Some(port) = ports.get(&name) {
            return Ok(port.address());
        }
        let port = Port::choose(None)?;
        let address = port.address();
        ports.insert(name, port);
        Ok(address)
    }
}

fn join(addresses: impl Iterator<Item = SocketAddr>) -> String {
    addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(",")
}
