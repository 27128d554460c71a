//! A connection to the database that survives its server: whatever goes wrong with it, the next one is made anew.

use tokio_postgres::Client;

use crate::target::Target;

/// Hands out one connection. Who takes it gives it back where all went well; what isn't given back is never used again,
/// and the next one is made by looking its address up anew, for a server may have another one by then.
pub struct Database {
    target: Target,
    client: Option<Client>,
}

// === impl Database ===

impl Database {
    /// Not connected yet.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        Self { target: target.clone(), client: None }
    }

    /// The connection that was given back, or a new one where that has ended.
    ///
    /// # Errors
    /// Where the database can't be reached in the time that [`Target::connect`] allows.
    pub async fn take(&mut self) -> anyhow::Result<Client> {
        match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => Ok(client),
            None => self.target.connect().await,
        }
    }

    /// For the next question.
    pub fn give_back(&mut self, client: Client) {
        self.client = Some(client);
    }
}
