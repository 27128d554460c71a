//! One database connection of a writer: prepared statements, and the temporary table of the second way.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{Client, Statement};
use wattline_service::DatabaseSettings;
use wattline_stream::Statements;

use crate::failure::Failure;

/// Where rows wait for `INSERT … ON CONFLICT`.
pub const STAGING: &str = "wattline_staging";

/// A connection and what it has prepared.
#[derive(Debug)]
pub struct Session {
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
    pub async fn open(
        settings: &DatabaseSettings,
        application_name: &str,
        lock_timeout_ms: u64,
    ) -> Result<Self, Failure> {
        let client = settings
            .connect(application_name)
            .await
            .map_err(|error| Failure::Connect(format!("{error:#}")))?;
        client.batch_execute(&format!("SET lock_timeout = {lock_timeout_ms}")).await?;
        let server = client
            .query_one("SELECT pg_backend_pid() AS pid, pg_postmaster_start_time() AS started", &[])
            .await?;
        let (backend_pid, server_start) = (server.try_get("pid")?, server.try_get("started")?);
        let rows = Statements::prepare(&client).await?;
        let statements = HashMap::new();
        Ok(Self { client, backend_pid, server_start, rows, statements, has_staging: false })
    }

    /// The connection.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The server's process behind it.
    #[must_use]
    pub const fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Since when the server runs: another time is another server, or one that was started anew.
    #[must_use]
    pub const fn server_start(&self) -> DateTime<Utc> {
        self.server_start
    }

    /// The statements of offset rows.
    #[must_use]
    pub const fn rows(&self) -> &Statements {
        &self.rows
    }

    /// The statement, prepared once.
    ///
    /// # Errors
    /// What the server says of it.
    pub async fn prepared(&mut self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
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
    pub async fn ensure_staging(&mut self) -> Result<(), Failure> {
        if !self.has_staging {
            let sql = format!("CREATE TEMP TABLE {STAGING} (LIKE reading) ON COMMIT DELETE ROWS");
            self.client.batch_execute(&sql).await?;
            self.has_staging = true;
        }
        Ok(())
    }

    /// Leaves a failed transaction. False where the connection is of no more use.
    pub async fn rolled_back(&self) -> bool {
        !self.client.is_closed() && self.client.batch_execute("ROLLBACK").await.is_ok()
    }
}
