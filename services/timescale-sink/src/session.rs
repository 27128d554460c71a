//! One database connection of a writer: prepared statements, and the temporary table of the second way.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{Client, Statement};
use wattline_service::DatabaseSettings;
use wattline_stream::Statements;

use crate::failure::Failure;

const SERVER: &str = include_str!("sql/server.sql");
const STAGING: &str = include_str!("sql/staging.sql");

/// A connection and what it has prepared.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    backend_pid: i32,
    server_start: DateTime<Utc>,
    rows: Statements,
    statements: HashMap<&'static str, Statement>,
    has_staging: bool,
}

// === impl Session ===

impl Session {
    /// Connects. Every wait for a lock on this connection ends after `lock_timeout_ms`.
    ///
    /// # Errors
    /// Where the server is away or refuses.
    pub(crate) async fn open(
        settings: &DatabaseSettings,
        application_name: &str,
        lock_timeout_ms: u64,
    ) -> Result<Self, Failure> {
        let client = settings
            .connect(application_name)
            .await
            .map_err(|error| Failure::Connect(format!("{error:#}")))?;
        client.batch_execute(&format!("SET lock_timeout = {lock_timeout_ms}")).await?;
        let server = client.query_one(SERVER, &[]).await?;
        let (backend_pid, server_start) = (server.try_get("pid")?, server.try_get("started")?);
        let rows = Statements::prepare(&client).await?;
        let statements = HashMap::new();
        Ok(Self { client, backend_pid, server_start, rows, statements, has_staging: false })
    }

    /// The connection.
    #[must_use]
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The server's process behind it.
    #[must_use]
    pub(crate) const fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Since when the server runs: another time is another server, or one that was started anew.
    #[must_use]
    pub(crate) const fn server_start(&self) -> DateTime<Utc> {
        self.server_start
    }

    /// The statements of offset rows.
    #[must_use]
    pub(crate) const fn rows(&self) -> &Statements {
        &self.rows
    }

    /// The statement, prepared once.
    ///
    /// # Errors
    /// What the server says of it.
    pub(crate) async fn prepared(&mut self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Makes the temporary table, once, outside of any transaction: one that is rolled back would take it along.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn ensure_staging(&mut self) -> Result<(), Failure> {
        if !self.has_staging {
            self.client.batch_execute(STAGING).await?;
            self.has_staging = true;
        }
        Ok(())
    }

    /// Leaves a failed transaction. False where the connection is of no more use.
    pub(crate) async fn rolled_back(&self) -> bool {
        !self.client.is_closed() && self.client.batch_execute("ROLLBACK").await.is_ok()
    }
}
