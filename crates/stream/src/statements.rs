//! The SQL of offset rows, prepared once per connection.

use tokio_postgres::{Client, Error, Statement};

/// What is prepared on one connection.
#[derive(Clone, Debug)]
pub struct Statements {
    pub(crate) lock: Statement,
    pub(crate) share: Statement,
    pub(crate) seen: Statement,
    pub(crate) advance: Statement,
    pub(crate) create: Statement,
    pub(crate) look: Statement,
    pub(crate) take: Statement,
    pub(crate) refuse: Statement,
}

// === impl Statements ===

impl Statements {
    /// Prepares them.
    ///
    /// # Errors
    /// Where the database refuses one: its schema is another one, or a right is missing.
    pub async fn prepare(client: &Client) -> Result<Self, Error> {
        let (lock, share, seen, advance, create, look, take, refuse) = tokio::try_join!(
            client.prepare(include_str!("sql/lock.sql")),
            client.prepare(include_str!("sql/share.sql")),
            client.prepare(include_str!("sql/seen.sql")),
            client.prepare(include_str!("sql/advance.sql")),
            client.prepare(include_str!("sql/create.sql")),
            client.prepare(include_str!("sql/look.sql")),
            client.prepare(include_str!("sql/take.sql")),
            client.prepare(include_str!("sql/refuse.sql")),
        )?;
        Ok(Self { lock, share, seen, advance, create, look, take, refuse })
    }
}
