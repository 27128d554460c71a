//! The longest time without anything new while a story runs: what a failover costs those who wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use wattline_loadtest::publish::Progress;
use wattline_loadtest::target::Target;

/// Also the precision of what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A server that is away may hold an answer back.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the pipeline may take to move again after the last fault.
const PATIENCE: Duration = Duration::from_secs(180);
const STORED: &str = "SELECT coalesce(sum(next_offset - first_offset), 0)::bigint FROM stream_offset
    WHERE consumer = 'timescale-sink'";

/// The longest times without progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Without a record that became visible in the database.
    pub stored: Duration,
    /// Without a PUBACK to any publisher.
    pub acknowledged: Duration,
}

/// Looks until it is finished.
pub struct GapWatch {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<Gap>>,
}

/// A count that only grows, and the longest time in which it did not.
struct Rise {
    /// What was there at the first look is no rise.
    count: Option<u64>,
    rose_at: Option<Instant>,
    longest: Duration,
}

// === impl GapWatch ===

impl GapWatch {
    /// Begins with the first record that is stored.
    #[must_use]
    pub fn start(target: &Target, progress: &Arc<Progress>) -> Self {
        let stop = CancellationToken::new();
        let watched = watch(target.clone(), Arc::clone(progress), stop.clone());
        Self { stop, task: tokio::spawn(watched) }
    }

    /// Waits until something new has been stored, so that the last gap counts to its end.
    ///
    /// # Errors
    /// Where nothing comes any more.
    pub async fn finish(self) -> anyhow::Result<Gap> {
        self.stop.cancel();
        self.task.await.context("the task that watches for gaps")?
    }
}

async fn watch(target: Target, progress: Arc<Progress>, stop: CancellationToken) -> anyhow::Result<Gap> {
    let ended = CancellationToken::new();
    let stored = async {
        let stored = watch_stored(&target, &stop).await;
        ended.cancel();
        stored
    };
    let (stored, acknowledged) = tokio::join!(stored, watch_acknowledged(&progress, &ended));
    Ok(Gap { stored: stored?, acknowledged })
}

async fn watch_stored(target: &Target, stop: &CancellationToken) -> anyhow::Result<Duration> {
    let mut stored = Rise::new();
    let mut client = None;
    let mut last = None;
    loop {
        if let Some(count) = stored_records(target, &mut client).await {
            stored.see(count);
        }
        if stop.is_cancelled() {
            let (since, asked_at) = *last.get_or_insert_with(|| (stored.count, Instant::now()));
            if stored.count > since {
                return Ok(stored.longest);
            }
            if asked_at.elapsed() > PATIENCE {
                bail!("nothing was stored for {PATIENCE:?} after the last fault");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Apart from the database, whose answers may be late.
async fn watch_acknowledged(progress: &Progress, ended: &CancellationToken) -> Duration {
    let mut acknowledged = Rise::new();
    while !ended.is_cancelled() {
        acknowledged.see(progress.acknowledged.load(Ordering::Relaxed));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    acknowledged.longest
}

/// How many records have an outcome in the store; `None` while the database is away.
pub(crate) async fn stored_records(target: &Target, client: &mut Option<Client>) -> Option<u64> {
    let asked = tokio::time::timeout(ANSWER, async {
        let connected = match client.take() {
            Some(client) => client,
            None => target.connect().await.ok()?,
        };
        let row = connected.query_one(STORED, &[]).await.ok()?;
        *client = Some(connected);
        u64::try_from(row.get::<_, i64>(0)).ok()
    });
    asked.await.ok().flatten()
}

// === impl Rise ===

impl Rise {
    const fn new() -> Self {
        Self { count: None, rose_at: None, longest: Duration::ZERO }
    }

    fn see(&mut self, count: u64) {
        let before = *self.count.get_or_insert(count);
        if count <= before {
            return;
        }
        self.count = Some(count);
        let now = Instant::now();
        if let Some(before) = self.rose_at.replace(now) {
            self.longest = self.longest.max(now.saturating_duration_since(before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_between_two_rises_counts() {
        let mut rise = Rise::new();
        rise.see(5);
        std::thread::sleep(Duration::from_millis(20));
        rise.see(6);
        assert_eq!(rise.longest, Duration::ZERO);
        std::thread::sleep(Duration::from_millis(20));
        rise.see(7);
        assert!(rise.longest >= Duration::from_millis(20));
        let longest = rise.longest;
        rise.see(8);
        assert_eq!(rise.longest, longest);
    }
}
