//! Databases on the stack's server: one for the stack, and fresh ones for tests, copied from a migrated template.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use wattline_service::postgres::Trouble;

/// The advisory lock of those who close a template.
const CLOSING: i64 = 0x7761_7474;

/// A connection and the task that drives it.
pub(crate) struct Session {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

pub(crate) async fn connect(url: &str) -> Result<Session> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("cannot connect")?;
    let driver = tokio::spawn(async move {
        // The client that waits for an answer gets the same error.
        let _ = connection.await;
    });
    Ok(Session { client, driver })
}

/// Of several servers the one that takes writes.
pub(crate) fn url(addresses: &[SocketAddr], role: &str, database: &str) -> String {
    let which = if addresses.len() > 1 { "?target_session_attrs=read-write" } else { "" };
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    format!("postgres://{role}@{}/{database}{which}", addresses.join(","))
}

/// Creates a database unless it exists.
pub(crate) async fn create_if_missing(addresses: &[SocketAddr], name: &str) -> Result<()> {
    let session = connect(&url(addresses, "postgres", "postgres")).await?;
    let exists = session.client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await?;
    if exists.is_none() {
        let statement = format!("CREATE DATABASE {}", identifier(name)?);
        session.client.batch_execute(&statement).await.with_context(|| format!("cannot create {name}"))?;
    }
    Ok(())
}

/// Creates `name` as a copy of `template`. Whoever is connected to the template, TimescaleDB's scheduler included, is
/// put out, as a template must be idle while it is copied.
pub(crate) async fn create_from(addresses: &[SocketAddr], name: &str, template: Option<&str>) -> Result<()> {
    let session = connect(&url(addresses, "postgres", "postgres")).await?;
    let name = identifier(name)?;
    let Some(template) = template else {
        session.client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        return Ok(());
    };
    let copy = format!("CREATE DATABASE {name} TEMPLATE {}", identifier(template)?);
    close(&session.client, template).await.with_context(|| format!("cannot use {template} as a template"))?;
    let mut tries = 0;
    loop {
        let put_out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        session.client.query(put_out, &[&template]).await?;
        match session.client.batch_execute(&copy).await {
            Ok(()) => return Ok(()),
            Err(error) if Trouble::of(&error) == Trouble::InUse && tries < 100 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error).with_context(|| format!("cannot copy {template}")),
        }
    }
}

/// Nobody connects to the template any more. One at a time: two that alter a database at once fail with "tuple
/// concurrently updated".
async fn close(client: &Client, template: &str) -> Result<()> {
    let close = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", identifier(template)?);
    client.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({CLOSING}); {close}; COMMIT")).await?;
    Ok(())
}

/// Drops a database with everything that is connected to it.
pub(crate) async fn drop(addresses: &[SocketAddr], name: &str) -> Result<()> {
    let session = connect(&url(addresses, "postgres", "postgres")).await?;
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name)?);
    session.client.batch_execute(&statement).await.with_context(|| format!("cannot drop {name}"))
}

/// A name that needs no quotes.
fn identifier(name: &str) -> Result<&str> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    ensure!(plain && !name.is_empty(), "'{name}' is no database name: lower case letters, digits and _ only");
    Ok(name)
}
