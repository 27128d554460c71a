//! What is read from TimescaleDB, by subject. Plain structs; nothing here knows of GraphQL.

mod energy;
mod meter;
mod page;
mod reading;
mod snapshot;

use std::sync::Arc;

use deadpool_postgres::{Object, Pool};
use tokio::sync::Semaphore;
use wattline_service::postgres;

use crate::error::{ApiError, Result};

pub use meter::MeterRow;
pub use page::Page;
pub use reading::ReadingRange;
pub use snapshot::Snapshot;

/// The database, as the role `wattline_api`: read only.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    snapshots: Arc<Semaphore>,
}

// === impl Store ===

impl Store {
    /// A store on this pool that takes at most `snapshots_max` snapshots at a time.
    #[must_use]
    pub fn new(pool: Pool, snapshots_max: usize) -> Self {
        Self { pool, snapshots: Arc::new(Semaphore::new(snapshots_max)) }
    }

    /// Checks that the database answers and has the tables.
    ///
    /// # Errors
    /// Where it doesn't, or hasn't: the text says which.
    pub async fn probe(&self) -> anyhow::Result<()> {
        let explain = |error: tokio_postgres::Error| {
            anyhow::anyhow!("{}; {}", postgres::describe(&error), postgres::cure(&error))
        };
        let client = self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => explain(error),
            error => anyhow::anyhow!("{error}"),
        })?;
        client.execute(include_str!("sql/probe.sql"), &[]).await.map_err(explain)?;
        Ok(())
    }

    async fn client(&self) -> Result<Object> {
        self.pool.get().await.map_err(ApiError::from)
    }
}
