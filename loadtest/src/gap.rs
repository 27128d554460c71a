//! The longest time without anything new while a story runs: what a failover costs those who wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wattline_service::postgres::read_column;

use crate::database::Database;
use crate::publish::Progress;
use crate::rise::{Pause, Rise};
use crate::target::Target;

/// Also the precision of what is measured, while the database answers.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A server that is away may hold an answer back.
const ANSWER: Duration = Duration::from_secs(2);

/// The longest times without progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Without a record that became visible in the database.
    pub stored: Duration,
    /// Without a PUBACK to any publisher.
    pub acknowledged: Duration,
}

/// What is known of the gaps at any moment.
#[derive(Debug)]
pub struct Gaps {
    stored: Mutex<Rise>,
    acknowledged: Mutex<Rise>,
}

/// What a mark says: the longest times without progress since the mark before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Without a record that became visible in the database.
    pub stored: Pause,
    /// Without a PUBACK to any publisher.
    pub acknowledged: Pause,
}

/// Looks until it is finished.
pub struct GapWatch {
    /// What it has seen so far.
    pub gaps: Arc<Gaps>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

// === impl Gaps ===

impl Gaps {
    fn new(now: Instant) -> Self {
        Self { stored: Mutex::new(Rise::new(now)), acknowledged: Mutex::new(Rise::new(now)) }
    }

    /// The longest gaps since the mark before, those that are running included, and begins to measure anew.
    pub fn mark(&self, now: Instant) -> Marked {
        Marked { stored: self.stored.lock().mark(now), acknowledged: self.acknowledged.lock().mark(now) }
    }

    /// The longest gaps of all, those that are running included.
    #[must_use]
    pub fn so_far(&self, now: Instant) -> Marked {
        Marked { stored: self.stored.lock().so_far(now), acknowledged: self.acknowledged.lock().so_far(now) }
    }

    /// Records with an outcome in the store; `None` before the first answer of the database.
    #[must_use]
    pub fn stored_records(&self) -> Option<u64> {
        self.stored.lock().count()
    }
}

// === impl GapWatch ===

impl GapWatch {
    /// Begins with the first record that is stored.
    #[must_use]
    pub fn start(target: &Target, progress: &Arc<Progress>, patience: Duration) -> Self {
        let stop = CancellationToken::new();
        let gaps = Arc::new(Gaps::new(Instant::now()));
        let (watched, seen, stopped) = (Arc::clone(&gaps), Arc::clone(progress), stop.clone());
        let database = Database::of(target);
        let task = tokio::spawn(async move { watch(&watched, database, &seen, &stopped, patience).await });
        Self { gaps, stop, task }
    }

    /// Waits until something new has been stored, so that the last gap counts to its end.
    ///
    /// # Errors
    /// Where nothing comes any more for as long as the watch has patience.
    pub async fn finish(self) -> anyhow::Result<Gap> {
        self.stop.cancel();
        self.task.await.context("the task that watches for gaps")??;
        let Marked { stored, acknowledged } = self.gaps.so_far(Instant::now());
        Ok(Gap { stored: stored.longest, acknowledged: acknowledged.longest })
    }
}

async fn watch(
    gaps: &Gaps,
    database: Database,
    progress: &Progress,
    stop: &CancellationToken,
    patience: Duration,
) -> anyhow::Result<()> {
    let ended = CancellationToken::new();
    let stored = async {
        let stored = watch_stored(&gaps.stored, database, stop, patience).await;
        ended.cancel();
        stored
    };
    let (stored, ()) = tokio::join!(stored, watch_acknowledged(&gaps.acknowledged, progress, &ended));
    stored
}

async fn watch_stored(
    stored: &Mutex<Rise>,
    mut database: Database,
    stop: &CancellationToken,
    patience: Duration,
) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        if let Some(count) = stored_records(&mut database).await {
            stored.lock().see(count, Instant::now());
        }
        if stop.is_cancelled() {
            let count = stored.lock().count();
            let (since, asked_at) = *last.get_or_insert_with(|| (count, Instant::now()));
            let grew = count > since;
            if grew || asked_at.elapsed() > patience {
                stored.lock().end();
                ensure!(grew, "nothing was stored for {patience:?} after the last fault");
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Apart from the database, whose answers may be late.
async fn watch_acknowledged(acknowledged: &Mutex<Rise>, progress: &Progress, ended: &CancellationToken) {
    while !ended.is_cancelled() {
        acknowledged.lock().see(progress.acknowledged.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(LOOK_EVERY).await;
    }
    acknowledged.lock().end();
}

/// How many records have an outcome in the store; `None` while the database is away.
pub async fn stored_records(database: &mut Database) -> Option<u64> {
    let client = database.take().await.ok()?;
    let asked = client.query_one(include_str!("sql/stored_records.sql"), &[]);
    let row = tokio::time::timeout(ANSWER, asked).await.ok()?.ok()?;
    let records: i64 = read_column(&row, "records").ok()?;
    database.give_back(client);
    u64::try_from(records).ok()
}
