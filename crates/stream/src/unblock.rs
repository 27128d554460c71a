//! A frozen twin holds an offset row for ever: no timeout of the server ends a COPY that waits for its client. The
//! one that the group has given the partition to may end the twin's connection; what the twin had not committed is
//! rolled back, and read again here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Client;
use tracing::{info, warn};
use wattline_service::postgres::{Trouble, describe, read_rows};
use wattline_service::{Backoff, DatabaseSettings, row};

use crate::assignment::{Assignment, Assignments};
use crate::id::Partition;

/// Only where `$1` waits for a row: whoever holds a table or a chunk that it needs is none of ours. Roles other than our
/// own are not ours to end, and the server would not let us.
const END_BLOCKERS: &str = include_str!("sql/end_blockers.sql");
/// A twin that is merely slow gets so long to finish.
const GRACE: Duration = Duration::from_millis(500);

row! {
    /// A connection that was in the way.
    struct Blocker<'row> {
        pid: i32,
        application_name: &'row str,
        ended: bool,
    }
}

/// Ends whoever keeps a row of `stream_offset` from its owner.
pub struct Blockers {
    settings: DatabaseSettings,
    application_name: String,
    assignments: Arc<Assignments>,
    /// Called for each connection that was ended.
    ended: Arc<dyn Fn() + Send + Sync>,
    /// The last try to take rows ended at someone else's lock.
    held: bool,
}

// === impl Blockers ===

impl Blockers {
    /// For one writer, whose looks for blockers show under `application_name`; `ended` is called for each connection that
    /// was ended.
    #[must_use]
    pub fn new(
        settings: DatabaseSettings,
        application_name: String,
        assignments: Arc<Assignments>,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { settings, application_name, assignments, ended: Arc::new(ended), held: false }
    }

    /// True where the last try to take rows ended at someone else's lock: the next one ends it.
    #[must_use]
    pub const fn held(&self) -> bool {
        self.held
    }

    /// Waits for `take`, which takes rows of the `wanted` partitions through the server's process `pid`. Where the last
    /// such try ended at someone else's lock, ends that one's connection meanwhile; nothing is ended unless all of the
    /// `wanted` partitions are held under these assignments.
    ///
    /// # Errors
    /// Those of `take`.
    pub async fn freed<T, E>(
        &mut self,
        pid: i32,
        wanted: &[(Partition, Assignment)],
        take: impl Future<Output = Result<T, E>>,
        cause: impl Fn(&E) -> Option<&tokio_postgres::Error>,
    ) -> Result<T, E> {
        let result = if self.held {
            tokio::select! {
                biased;
                result = take => result,
                never = self.end_blockers(pid, wanted) => match never {},
            }
        } else {
            take.await
        };
        self.held = matches!(&result, Err(error) if cause(error).map(Trouble::of) == Some(Trouble::Locked));
        result
    }

    /// Ends, again and again, what blocks the server process `blocked_pid`; never returns.
    async fn end_blockers(
        &self,
        blocked_pid: i32,
        wanted: &[(Partition, Assignment)],
    ) -> std::convert::Infallible {
        let mut backoff = Backoff::default();
        let mut connection = None;
        loop {
            tokio::time::sleep(GRACE).await;
            if !wanted.iter().all(|(partition, assignment)| self.assignments.holds(*partition, *assignment)) {
                continue;
            }
            let client = match connection.take() {
                Some(client) => client,
                None => match self.settings.connect(&self.application_name).await {
                    Ok(client) => client,
                    Err(error) => {
                        warn!("cannot look for who holds the offset row: {error:#}");
                        backoff.wait().await;
                        continue;
                    }
                },
            };
            // A task of its own: whoever waits for the row goes on as soon as it is free, and what was ended is told all the
            // same.
            let ended = Arc::clone(&self.ended);
            let look = tokio::spawn(async move {
                let looked = end_once(&client, blocked_pid, &*ended).await;
                looked.map(|()| client)
            });
            match look.await {
                Ok(Ok(client)) => connection = Some(client),
                Ok(Err(error)) => {
                    warn!("cannot end the connection that holds the offset row: {}", describe(&error));
                    backoff.wait().await;
                }
                Err(error) => {
                    warn!("the look for who holds the offset row was interrupted: {error}");
                    backoff.wait().await;
                }
            }
        }
    }
}

/// Ends whoever keeps the server process `blocked_pid` from a row.
async fn end_once(
    client: &Client,
    blocked_pid: i32,
    tell: &(dyn Fn() + Send + Sync),
) -> Result<(), tokio_postgres::Error> {
    let rows = client.query(END_BLOCKERS, &[&blocked_pid]).await?;
    for Blocker { pid, application_name: name, ended } in read_rows(&rows)? {
        if ended {
            tell();
            info!(pid, "ended connection {pid} ({name}): it held an offset row that this process owns now");
        }
    }
    Ok(())
}

impl fmt::Debug for Blockers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Blockers").field("held", &self.held).finish_non_exhaustive()
    }
}
