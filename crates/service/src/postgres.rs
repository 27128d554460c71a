//! PostgreSQL: settings, connections and pools, and what its errors mean.

mod class;
mod row;
mod unconnected;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::warn;

use crate::config::absent_if_empty;
use crate::{secret, tls};

pub use class::{Class, Trouble};
pub use row::{FromRow, read_column, read_rows};
/// For [`row!`](crate::row).
#[doc(hidden)]
pub use tokio_postgres::{Error, Row};
pub use unconnected::Unconnected;

/// A server that is gone with its machine neither answers nor refuses. What waits for it is ended after this long: before
/// Patroni has another primary, which takes 17 s at the least, and not while a busy server pauses.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often a silent server is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(3);

/// Section `[database]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgres://role@host:port/database`, several hosts separated by commas. `?sslmode=verify-full` demands
    /// TLS with a certificate that names the host; `disable` never uses it; without it TLS is used where offered.
    pub url: String,
    /// File that holds the role's password. Empty: none is sent.
    #[serde(deserialize_with = "absent_if_empty")]
    pub password_file: Option<PathBuf>,
    /// Authorities that sign the server's certificate (PEM). Empty: the system's.
    #[serde(deserialize_with = "absent_if_empty")]
    pub tls_root_file: Option<PathBuf>,
    /// How long each host of `url` may take to accept a connection, in ms.
    pub connect_timeout_ms: u64,
}

// === impl DatabaseSettings ===

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: "postgres://127.0.0.1:5432/wattline".to_owned(),
            password_file: None,
            tls_root_file: None,
            connect_timeout_ms: 5000,
        }
    }
}

impl DatabaseSettings {
    /// The defaults with a role of its own.
    #[must_use]
    pub fn with_role(role: &str) -> Self {
        Self { url: format!("postgres://{role}@127.0.0.1:5432/wattline"), ..Self::default() }
    }

    /// One connection; a task of its own drives it until it ends.
    ///
    /// # Errors
    /// Where settings make no sense, or an [`Unconnected`] where the server can't be reached or refuses; the text says
    /// where and why.
    pub async fn connect(&self, application_name: &str) -> anyhow::Result<Client> {
        let config = self.config(application_name)?;
        let place = place(&config);
        let (client, connection) =
            config.connect(self.tls()?).await.map_err(|error| Unconnected::new(place.clone(), error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                warn!("the connection to {place} has ended: {}", describe(&error));
            }
        });
        Ok(client)
    }

    /// A pool of at most `connections_max` connections, which connects when it is used.
    ///
    /// # Errors
    /// Where settings make no sense.
    pub fn pool(&self, application_name: &str, connections_max: usize) -> anyhow::Result<Pool> {
        let config = self.config(application_name)?;
        let timeout = Some(self.time_for_hosts(&config));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, self.tls()?, recycling);
        Pool::builder(manager)
            .max_size(connections_max)
            .runtime(Runtime::Tokio1)
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .build()
            .context("cannot make the pool of database connections")
    }

    /// How long it may take at most until one of the hosts of `url` has accepted a connection.
    ///
    /// # Errors
    /// Where settings make no sense.
    pub fn connecting_max(&self) -> anyhow::Result<Duration> {
        Ok(self.time_for_hosts(&self.config("")?))
    }

    /// The hosts are tried one after another.
    fn time_for_hosts(&self, config: &Config) -> Duration {
        let hosts = u32::try_from(config.get_hosts().len().max(1)).unwrap_or(u32::MAX);
        Duration::from_millis(self.connect_timeout_ms).saturating_mul(hosts)
    }

    fn config(&self, application_name: &str) -> anyhow::Result<Config> {
        // The driver's `require` checks the certificate and its name with this TLS library: that is `verify-full`.
        let url = self.url.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = url.parse().with_context(|| {
            "database.url is not understood: write postgres://role@host:port/database".to_owned()
        })?;
        if config.get_password().is_some() {
            bail!(
                "database.url holds a password: put it into a file and name that in database.password_file"
            );
        }
        if let Some(file) = &self.password_file {
            config.password(secret::read(file, "database.password_file")?);
        }
        config
            .application_name(application_name)
            .connect_timeout(Duration::from_millis(self.connect_timeout_ms))
            .keepalives(true)
            .keepalives_idle(PROBE_EVERY)
            .keepalives_interval(PROBE_EVERY)
            .tcp_user_timeout(SILENCE_MAX);
        Ok(config)
    }

    fn tls(&self) -> anyhow::Result<MakeRustlsConnect> {
        let roots = tls::authorities(self.tls_root_file.as_deref(), "database.tls_root_file")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("cannot set up TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

/// What went wrong with a statement or connection, with the server's words and SQLSTATE where there are any: the
/// driver's own text leaves the cause out.
#[must_use]
pub fn describe(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    if let Some(error) = error.as_db_error() {
        let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        let hint = error.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        return format!("{}{detail}, SQLSTATE {}{hint}", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What a person can do about it, or where to look.
#[must_use]
pub fn cure(error: &tokio_postgres::Error) -> &'static str {
    Trouble::of(error).cure()
}

fn place(config: &Config) -> String {
    let host = |host: &tokio_postgres::config::Host| match host {
        tokio_postgres::config::Host::Tcp(name) => name.clone(),
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, name)| {
            format!("{}:{}", host(name), ports.get(index).or(ports.first()).copied().unwrap_or(5432))
        })
        .collect();
    format!(
        "the database {} on {} as {}",
        config.get_dbname().unwrap_or("postgres"),
        hosts.join(","),
        config.get_user().unwrap_or("the default role")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unreachable_server_says_where_and_what_to_do() {
        let settings = DatabaseSettings {
            url: "postgres://wattline_sink@127.0.0.1:1/wattline".to_owned(),
            ..DatabaseSettings::default()
        };
        let error = settings.connect("test").await.unwrap_err();
        assert!(error.downcast_ref::<Unconnected>().is_some_and(Unconnected::passes), "{error:?}");
        let error = format!("{error:#}");
        for part in ["127.0.0.1:1", "wattline_sink", "database.url", "refused"] {
            assert!(error.contains(part), "{error}");
        }
    }

    /// A connection that waits for an answer has nothing unacknowledged: only probes find that its server is gone. Without
    /// an interval of our own the second one would come 75 s after the first.
    #[test]
    fn a_silent_server_is_given_up_before_patroni_has_another_primary() {
        let config = DatabaseSettings::with_role("wattline_sink").config("test").unwrap();
        let limit = config.get_tcp_user_timeout().copied().unwrap();
        let probes = config.get_keepalives_idle() + config.get_keepalives_interval().unwrap();
        assert!(probes < limit && limit < Duration::from_secs(17), "{probes:?} {limit:?}");
    }

    #[tokio::test]
    async fn a_pool_has_time_for_each_host() {
        let settings = DatabaseSettings {
            url: "postgres://a@x,y,z/w?target_session_attrs=read-write".to_owned(),
            connect_timeout_ms: 2000,
            ..DatabaseSettings::default()
        };
        let timeouts = settings.pool("test", 1).unwrap().timeouts();
        assert_eq!(timeouts.create, Some(Duration::from_secs(6)));
        assert_eq!(timeouts.wait, Some(Duration::from_secs(6)));
        assert_eq!(settings.connecting_max().unwrap(), Duration::from_secs(6));
    }

    #[test]
    fn a_password_comes_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let mut settings = DatabaseSettings::with_role("wattline_sink");
        assert_eq!(settings.config("test").unwrap().get_password(), None);
        settings.password_file = Some(file.path().to_owned());
        let config = settings.config("test").unwrap();
        assert_eq!(config.get_password(), Some(b"s3cret".as_slice()));
        assert_eq!(config.get_user(), Some("wattline_sink"));
        assert_eq!(config.get_application_name(), Some("test"));
    }

    #[test]
    fn several_hosts_are_named_with_their_ports() {
        for (url, name) in [
            ("postgres://a@x:1,y:2/w", "the database w on x:1,y:2 as a"),
            ("postgres://a@x/w", "the database w on x:5432 as a"),
            ("postgres://x:1", "the database postgres on x:1 as the default role"),
        ] {
            let settings = DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() };
            assert_eq!(place(&settings.config("test").unwrap()), name);
        }
    }

    #[test]
    fn an_address_that_is_none_says_what_to_write() {
        let settings = DatabaseSettings { url: "127.0.0.1".to_owned(), ..DatabaseSettings::default() };
        let error = format!("{:#}", settings.config("test").unwrap_err());
        assert!(error.contains("database.url") && error.contains("postgres://role@host"), "{error}");
    }

    #[test]
    fn a_password_in_the_address_is_refused() {
        let settings = DatabaseSettings {
            url: "postgres://a:secret@127.0.0.1/wattline".to_owned(),
            ..DatabaseSettings::default()
        };
        let error = settings.config("test").unwrap_err().to_string();
        assert!(error.contains("password_file") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn verify_full_demands_tls() {
        let settings = DatabaseSettings {
            url: "postgres://a@127.0.0.1/wattline?sslmode=verify-full".to_owned(),
            ..DatabaseSettings::default()
        };
        let mode = settings.config("test").unwrap().get_ssl_mode();
        assert_eq!(mode, tokio_postgres::config::SslMode::Require);
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings =
            DatabaseSettings { tls_root_file: Some(file.path().to_owned()), ..DatabaseSettings::default() };
        let error = settings.tls().err().unwrap().to_string();
        assert!(error.contains("tls_root_file") && error.contains("no certificate"), "{error}");
    }
}
