//! The configuration, with its defaults. `config/query-api.toml` is the commented sample.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::bail;
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};
use wattline_service::config::{Sample, Section, absent_if_empty, list};
use wattline_service::{DatabaseSettings, KafkaSettings, ServiceSettings, TraceSettings};

/// query-api: GraphQL over what TimescaleDB has stored and Kafka is bringing, and the live page.
#[derive(Clone, Debug, Deserialize, Documented, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What every service has.
    pub service: ServiceSettings,
    /// Where its traces go.
    pub traces: TraceSettings,
    /// Where the live readings come from: the live tail reads all partitions, without a consumer group.
    pub kafka: KafkaSettings,
    /// Where everything else comes from.
    pub database: DatabaseSettings,
    /// The server for people and programs.
    pub http: HttpSettings,
    /// What one client may ask for.
    pub limits: LimitSettings,
    /// The live readings.
    pub live: LiveSettings,
}

/// Section `[http]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Where GraphQL and the live page are served. Any other than a loopback address needs `token_file`.
    pub listen: SocketAddr,
    /// GraphiQL at `/graphiql`, introspection, and pages of this machine's other ports, such as http://localhost:5173.
    pub development: bool,
    /// File that holds the one token every request must bring as `Authorization: Bearer …`, and every WebSocket
    /// in its `connection_init` as `{"authorization": "Bearer …"}`. Empty: none is asked for.
    #[serde(deserialize_with = "absent_if_empty")]
    pub token_file: Option<PathBuf>,
    /// Origins of other sites whose pages may use the API, such as `https://energy.example.org`.
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
    /// Largest body of a request, and largest message of a WebSocket, in bytes.
    pub request_bytes_max: usize,
    /// Requests that are worked on at a time; more are answered 503.
    pub requests_at_a_time_max: usize,
    /// Open WebSockets; more are answered 503.
    pub sockets_max: usize,
}

/// Section `[limits]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// How deep a query may be nested. GraphiQL's own question for the schema needs 15.
    pub depth_max: usize,
    /// How much a query may cost: about one a field that it can return, and ten a question to the database.
    pub complexity_max: usize,
    /// Rows of one page.
    pub page_rows_max: u16,
    /// Buckets of one energy series: 31 days of quarter-hours.
    pub energy_points_max: u16,
    /// How long one query may take, in ms. The role's own `statement_timeout` is 10 s.
    pub query_timeout_ms: u64,
    /// Connections to the database.
    pub database_connections_max: usize,
    /// Operations that run at a time on one WebSocket.
    pub operations_per_socket_max: usize,
    /// Snapshots that live subscriptions take at a time; others wait. Fewer than the connections, so that queries
    /// always find one.
    pub snapshots_at_a_time_max: usize,
}

/// Section `[live]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSettings {
    /// How far back the tail of Kafka begins, in ms: what a subscription can join or resume without a hole.
    pub begin_back_ms: u64,
    /// Memory for recent readings of all meters, in bytes; the oldest give way.
    pub ring_bytes_max: usize,
    /// How far a subscriber may fall behind, in readings, before it loses its oldest and is told.
    pub backlog_readings_max: u64,
    /// Instants that a subscription remembers to tell a repeated reading from a new one.
    pub remembered_readings_max: usize,
    /// How often a subscription says that it is alive, in ms.
    pub heartbeat_ms: u64,
}

// === impl Config ===

impl Sample for Config {
    const SECTIONS: &'static [Section] = &[
        Section::of::<ServiceSettings>("service"),
        Section::of::<TraceSettings>("traces"),
        Section::of::<KafkaSettings>("kafka"),
        Section::of::<DatabaseSettings>("database"),
        Section::of::<HttpSettings>("http"),
        Section::of::<LimitSettings>("limits"),
        Section::of::<LiveSettings>("live"),
    ];
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: ServiceSettings::with_admin_port(9404),
            traces: TraceSettings::default(),
            kafka: KafkaSettings::default(),
            database: DatabaseSettings::with_role("wattline_api"),
            http: HttpSettings::default(),
            limits: LimitSettings::default(),
            live: LiveSettings::default(),
        }
    }
}

impl Config {
    /// What types can't say: ranges, and keys that need each other.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let http = &self.http;
        if !http.listen.ip().is_loopback() && http.token_file.is_none() {
            bail!(
                "http.listen is {}, which other machines can reach, and anybody could read every home's data: \
                 set http.token_file, or listen on 127.0.0.1",
                http.listen
            );
        }
        for origin in &http.allowed_origins {
            let valid = origin.starts_with("https://") || origin.starts_with("http://");
            if !valid || origin.matches('/').count() != 2 {
                bail!(
                    "http.allowed_origins has {origin:?}: write scheme and host, as in https://energy.example.org"
                );
            }
        }
        let limits = &self.limits;
        let live = &self.live;
        let at_least = [
            ("http.request_bytes_max", http.request_bytes_max, 1024),
            ("http.requests_at_a_time_max", http.requests_at_a_time_max, 1),
            ("http.sockets_max", http.sockets_max, 1),
            ("limits.depth_max", limits.depth_max, 3),
            ("limits.complexity_max", limits.complexity_max, 100),
            ("limits.page_rows_max", limits.page_rows_max.into(), 1),
            ("limits.energy_points_max", limits.energy_points_max.into(), 24),
            ("limits.database_connections_max", limits.database_connections_max, 1),
            ("limits.operations_per_socket_max", limits.operations_per_socket_max, 1),
            ("limits.snapshots_at_a_time_max", limits.snapshots_at_a_time_max, 1),
            ("live.ring_bytes_max", live.ring_bytes_max, 1024 * 1024),
            ("live.remembered_readings_max", live.remembered_readings_max, 16),
        ];
        for (key, value, least) in at_least {
            if value < least {
                bail!("{key} is {value}, must be at least {least}");
            }
        }
        if limits.snapshots_at_a_time_max > limits.database_connections_max {
            bail!(
                "limits.snapshots_at_a_time_max is {}, must be at most limits.database_connections_max ({})",
                limits.snapshots_at_a_time_max,
                limits.database_connections_max
            );
        }
        let at_least = [
            ("limits.query_timeout_ms", limits.query_timeout_ms, 100),
            ("live.backlog_readings_max", live.backlog_readings_max, 1),
            ("live.heartbeat_ms", live.heartbeat_ms, 100),
        ];
        for (key, value, least) in at_least {
            if value < least {
                bail!("{key} is {value}, must be at least {least}");
            }
        }
        Ok(())
    }
}

// === impl HttpSettings ===

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9400)),
            development: false,
            token_file: None,
            allowed_origins: Vec::new(),
            request_bytes_max: 64 * 1024,
            requests_at_a_time_max: 128,
            sockets_max: 2000,
        }
    }
}

// === impl LimitSettings ===

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            depth_max: 15,
            complexity_max: 50_000,
            page_rows_max: 1000,
            energy_points_max: 3000,
            query_timeout_ms: 10_000,
            database_connections_max: 16,
            operations_per_socket_max: 16,
            snapshots_at_a_time_max: 12,
        }
    }
}

// === impl LiveSettings ===

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            begin_back_ms: 300_000,
            ring_bytes_max: 64 * 1024 * 1024,
            backlog_readings_max: 1000,
            remembered_readings_max: 1024,
            heartbeat_ms: 5000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_token_only_loopback_is_served() {
        let mut config = Config::default();
        config.check().unwrap();
        config.http.listen = "0.0.0.0:9400".parse().unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("http.token_file") && error.contains("0.0.0.0:9400"), "{error}");
        config.http.token_file = Some("token".into());
        config.check().unwrap();
    }

    #[test]
    fn an_origin_is_scheme_and_host() {
        for (origin, valid) in [
            ("https://energy.example.org", true),
            ("http://localhost:3000", true),
            ("energy.example.org", false),
            ("https://energy.example.org/", false),
            ("*", false),
        ] {
            let mut config = Config::default();
            config.http.allowed_origins = vec![origin.to_owned()];
            assert_eq!(config.check().is_ok(), valid, "{origin}");
        }
    }

    #[test]
    fn the_environment_lists_origins_with_commas() {
        let origins = "https://a.example.org, http://localhost:3000";
        let environment = [("WATTLINE__HTTP__ALLOWED_ORIGINS".to_owned(), origins.to_owned())].into();
        let config: Config = wattline_service::config::load_from(None, environment).unwrap();
        assert_eq!(config.http.allowed_origins, ["https://a.example.org", "http://localhost:3000"]);
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let mut config = Config::default();
        config.limits.page_rows_max = 0;
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("limits.page_rows_max"), "{error}");
    }
}
