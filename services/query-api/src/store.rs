//! What is read from TimescaleDB, by subject. Plain structs; nothing here knows of GraphQL.

mod energy;
mod meter;
mod page;
mod reading;
mod snapshot;

use std::fmt;
use std::sync::Arc;

use deadpool_postgres::{Object, Pool, PoolError};
use tokio::sync::Semaphore;
use wattline_service::postgres::{self, Class};

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

/// Why the database can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    text: String,
    /// By itself, as a failover does; else a person must do something.
    pub passes: bool,
}

// === impl Unusable ===

impl Unusable {
    fn of(error: &tokio_postgres::Error) -> Self {
        let text = format!("{}; {}", postgres::describe(error), postgres::cure(error));
        Self { text, passes: Class::of(error) != Class::Stop }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Unusable {}

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
    pub async fn probe(&self) -> std::result::Result<(), Unusable> {
        let client = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Unusable::of(&error),
            error => Unusable { text: error.to_string(), passes: true },
        })?;
        client.execute(include_str!("sql/probe.sql"), &[]).await.map_err(|error| Unusable::of(&error))?;
        Ok(())
    }

    async fn client(&self) -> Result<Object> {
        self.pool.get().await.map_err(ApiError::from)
    }
}
