//! A frozen twin holds an offset row for ever: no timeout of the server ends a COPY that waits for its client. The
//! one that the group has given the partition to may end the twin's connection; what the twin had not committed is
//! rolled back, and read again here.

use std::time::Duration;

use tracing::{info, warn};
use wattline_service::{Backoff, DatabaseSettings};

use crate::batch::Partition;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::ownership::Ownership;
use crate::session::Session;

/// Roles other than our own are not ours to end, and the server would not let us.
const END_BLOCKERS: &str = "SELECT pid, application_name, pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE pid = ANY(pg_blocking_pids($1)) AND usename = current_user";
/// A twin that is merely slow gets so long to finish.
const GRACE: Duration = Duration::from_millis(500);

/// Ends, again and again, what blocks the server process `blocked_pid`; never returns. Drop it when the wait is
/// over. Nothing is ended unless all of the `wanted` partitions are held under these assignments.
pub async fn end_blockers(
    settings: &DatabaseSettings,
    blocked_pid: i32,
    lock_timeout_ms: u64,
    metrics: &Metrics,
    ownership: &Ownership,
    wanted: &[(Partition, u64)],
) -> std::convert::Infallible {
    let mut backoff = Backoff::default();
    let mut session = None;
    loop {
        tokio::time::sleep(GRACE).await;
        if !wanted.iter().all(|(partition, epoch)| ownership.holds(*partition, *epoch)) {
            continue;
        }
        let mut helper = match session.take() {
            Some(helper) => helper,
            None => match Session::open(settings, "wattline-timescale-sink/unblock", lock_timeout_ms).await {
                Ok(helper) => helper,
                Err(failure) => {
                    warn!("cannot look for who holds the offset row: {failure}");
                    backoff.wait().await;
                    continue;
                }
            },
        };
        match end_once(&mut helper, blocked_pid, metrics).await {
            Ok(()) => session = Some(helper),
            Err(failure) => {
                warn!("cannot end the connection that holds the offset row: {failure}");
                backoff.wait().await;
            }
        }
    }
}

async fn end_once(session: &mut Session, blocked_pid: i32, metrics: &Metrics) -> Result<(), Failure> {
    let statement = session.prepared(END_BLOCKERS).await?;
    for row in session.client().query(&statement, &[&blocked_pid]).await? {
        let (pid, name, ended): (i32, &str, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if ended {
            metrics.blockers_ended.inc();
            info!(pid, "ended connection {pid} ({name}): it held an offset row that this sink owns now");
        }
    }
    Ok(())
}
