//! A writer: takes partitions on, writes batches, and decides what an error means for them. It has one connection
//! and does one thing after the other, while its consumer's thread fills the next batch.

mod claim;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use wattline_service::Backoff;

use crate::batch::{Batch, Partition, Set};
use crate::config::Config;
use crate::consume::KafkaConsumer;
use crate::failure::{Class, Failure};
use crate::health::Health;
use crate::metrics::{ErrorClass, Metrics, Stage, WayLabels};
use crate::ownership::Ownership;
use crate::session::Session;
use crate::unblock::end_blockers;
use crate::work::{Answer, Work};
use crate::write::meters::Meters;
use crate::write::{self, bisect};
use crate::write::{Way, Writing, Written};

/// A writer and what it needs.
pub struct Writer {
    /// Its number in the process.
    pub index: usize,
    /// The configuration.
    pub config: Arc<Config>,
    /// The member of the group that feeds it.
    pub consumer: Arc<KafkaConsumer>,
    /// What that member holds.
    pub ownership: Arc<Ownership>,
    /// Names and limits.
    pub writing: Writing,
    /// What it knows of meters.
    pub meters: Meters,
    /// Its connection, while there is one.
    pub session: Option<Session>,
    /// The last try ended at someone else's lock.
    pub blocked: bool,
    /// Where answers go.
    pub answers: mpsc::Sender<Answer>,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness.
    pub health: Arc<Health>,
    /// Cancelled when the process shall stop.
    pub stop: CancellationToken,
}

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    By(Way),
    Bisecting,
}

/// What to do after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Each set by itself.
    Split,
    /// The same sets, another way.
    Try(How),
    /// The same again, after a wait.
    Wait,
    /// Read the offset row again and go on from there.
    Reclaim,
    /// A person must do something.
    Stop,
}

// === impl Writer ===

impl Writer {
    /// Works until the consumer's thread has ended.
    pub async fn run(mut self, mut work: mpsc::Receiver<Work>) {
        while let Some(work) = work.recv().await {
            match work {
                Work::Claim(claims) => self.claim_all(claims).await,
                Work::Write(batch) => self.write_all(batch).await,
            }
        }
    }

    async fn write_all(&mut self, batch: Batch) {
        let mut groups = VecDeque::from([batch.into_sets()]);
        while let Some(sets) = groups.pop_front() {
            for set in self.write_group(sets).await {
                groups.push_back(vec![set]);
            }
        }
        self.show_stopped();
    }

    /// Writes the sets, however long it takes; gives back what must be tried set by set.
    async fn write_group(&mut self, mut sets: Vec<Set>) -> Vec<Set> {
        let mut backoff = Backoff::default();
        let mut how = How::By(Way::Copy);
        loop {
            sets.retain(|set| self.ownership.holds_set(set));
            if sets.is_empty() {
                return Vec::new();
            }
            let begun = Instant::now();
            let failure = match self.attempt(&sets, how).await {
                Ok(written) => {
                    self.report(&sets, &written, begun).await;
                    return Vec::new();
                }
                Err(failure) => failure,
            };
            match next_step(&failure, sets.len(), how) {
                Step::Split => return sets,
                Step::Try(next) => how = next,
                Step::Reclaim => {
                    self.metrics.error(Stage::Writing, ErrorClass::Fenced);
                    debug!("{failure}: its offset is read again");
                    self.again(&sets, Duration::ZERO).await;
                    return Vec::new();
                }
                Step::Stop => {
                    let wait = self.stop_partition(sets[0].partition, Stage::Writing, failure.to_string());
                    self.again(&sets, wait).await;
                    return Vec::new();
                }
                Step::Wait => {
                    self.transient(Stage::Writing, &failure);
                    if self.stop.is_cancelled() {
                        // What was not written is read again after the next start.
                        return Vec::new();
                    }
                    let wait = match failure {
                        Failure::MeterBudget(wait) => wait,
                        _ if self.blocked => Duration::ZERO,
                        _ => backoff.next_wait(),
                    };
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, sets: &[Set], how: How) -> Result<Written, Failure> {
        let mut session = self.take_session().await?;
        let pid = session.backend_pid();
        // Taken out, so that the look for a blocker may borrow the rest.
        let nobody = Meters::new(Arc::clone(self.meters.rules()));
        let mut meters = std::mem::replace(&mut self.meters, nobody);
        let timeout = Duration::from_millis(self.config.store.flush_timeout_ms);
        let writing = async {
            let writing = write_once(&mut session, &mut meters, &self.writing, sets, how, &self.metrics);
            match tokio::time::timeout(timeout, writing).await {
                Ok(result) => result,
                Err(_) => Err(Failure::Timeout(timeout)),
            }
        };
        let wanted: Vec<_> = sets.iter().map(|set| (set.partition, set.epoch)).collect();
        let result = self.unblocked(pid, &wanted, Box::pin(writing)).await;
        self.meters = meters;
        match result {
            Ok(written) => {
                self.blocked = false;
                // Nothing depends on it: the next minute tries again.
                match self.meters.write_seen(&mut session, &self.metrics).await {
                    Ok(()) => self.session = Some(session),
                    Err(failure) => debug!("last_seen is not written: {failure}"),
                }
                Ok(written)
            }
            Err(failure) => Err(self.put_back(session, failure).await),
        }
    }

    /// Waits for `work`; where the last try ended at someone else's lock, ends that one's connection meanwhile.
    async fn unblocked<T>(
        &self,
        pid: i32,
        wanted: &[(Partition, u64)],
        work: Pin<Box<dyn Future<Output = T> + Send + '_>>,
    ) -> T {
        if !self.blocked {
            return work.await;
        }
        let Config { database, store, .. } = &*self.config;
        tokio::select! {
            biased;
            result = work => result,
            never = end_blockers(database, pid, store.lock_timeout_ms, &self.metrics, &self.ownership, wanted) => {
                match never {}
            }
        }
    }

    async fn take_session(&mut self) -> Result<Session, Failure> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let name = format!("{}/{}", self.config.kafka.replica_name("wattline-timescale-sink"), self.index);
        Session::open(&self.config.database, &name, self.config.store.lock_timeout_ms).await
    }

    /// Leaves the failed transaction; a connection that may be at fault is not used again.
    async fn put_back(&mut self, session: Session, failure: Failure) -> Failure {
        self.blocked = failure.is_lock_timeout();
        let usable = match &failure {
            Failure::Connect(_) | Failure::Timeout(_) => false,
            Failure::Database(_) | Failure::TooManyRefused(..) => {
                matches!(failure.class(), Class::Transient | Class::Data) || failure.is_unique_violation()
            }
            Failure::Fenced(_) | Failure::MeterBudget(_) => true,
        };
        if usable && session.rolled_back().await {
            self.session = Some(session);
        }
        failure
    }

    async fn report(&self, sets: &[Set], written: &Written, begun: Instant) {
        self.health.database(self.index, None);
        for row in &written.offsets {
            self.health.goes_on(row.partition);
            self.metrics.offset_row(row);
        }
        let way = WayLabels { way: written.way.as_str() };
        self.metrics.batches.get_or_create(&way).inc();
        let records: u32 = sets.iter().map(|set| u32::try_from(set.records.len()).unwrap_or(u32::MAX)).sum();
        self.metrics.batch_records.observe(f64::from(records));
        self.metrics.write_seconds.observe(begun.elapsed().as_secs_f64());
        if let Some(oldest) = written.oldest_received_at {
            let delay_us = wattline_reading::Timestamp::now().micros().saturating_sub(oldest.micros());
            let delay = Duration::from_micros(u64::try_from(delay_us).unwrap_or(0));
            self.metrics.delay_seconds.observe(delay.as_secs_f64());
        }
        let stored = sets.iter().map(|set| (set.partition, set.next_offset())).collect();
        self.answer(Answer::Written(stored)).await;
    }

    fn transient(&self, stage: Stage, failure: &Failure) {
        self.metrics.error(stage, ErrorClass::Transient);
        match failure {
            // The database is well, and the wait has its own reason.
            Failure::MeterBudget(_) => info!("{failure}"),
            _ => {
                self.health.database(self.index, Some(failure.to_string()));
                warn!("it is tried again: {failure}");
            }
        }
    }

    /// Stops a partition; gives how long to wait before the next try.
    fn stop_partition(&self, partition: Partition, stage: Stage, reason: String) -> Duration {
        self.metrics.error(stage, ErrorClass::Stop);
        let retry = Duration::from_millis(self.config.store.retry_stopped_ms);
        error!(
            ?partition,
            "{:?} {} stops, and is tried again in {retry:?}: {reason}", partition.stream, partition.number
        );
        self.health.stopped(partition, reason);
        retry
    }

    fn show_stopped(&self) {
        self.metrics.partitions_stopped.set(self.health.stopped_count());
    }

    async fn again(&self, sets: &[Set], wait: Duration) {
        for set in sets {
            self.answer(Answer::Again(set.partition, set.epoch, wait)).await;
        }
    }

    async fn answer(&self, answer: Answer) {
        // The thread has ended: then nobody needs the answer.
        let _ = self.answers.send(answer).await;
    }
}

async fn write_once(
    session: &mut Session,
    meters: &mut Meters,
    writing: &Writing,
    sets: &[Set],
    how: How,
    metrics: &Metrics,
) -> Result<Written, Failure> {
    meters.resolve(session, sets, metrics).await?;
    match (how, sets) {
        (How::Bisecting, [set]) => bisect::write(session, meters, writing, set).await,
        (How::Bisecting, _) => write::write(session, meters, writing, sets, Way::Upsert).await,
        (How::By(way), _) => write::write(session, meters, writing, sets, way).await,
    }
}

fn next_step(failure: &Failure, sets: usize, how: How) -> Step {
    if matches!(failure, Failure::Fenced(_)) {
        return if sets > 1 { Step::Split } else { Step::Reclaim };
    }
    if failure.is_unique_violation() && how == How::By(Way::Copy) {
        return Step::Try(How::By(Way::Upsert));
    }
    match failure.class() {
        Class::Transient if matches!(failure, Failure::MeterBudget(_)) && sets > 1 => Step::Split,
        Class::Transient => Step::Wait,
        Class::Data | Class::Cancelled | Class::Stop if sets > 1 => Step::Split,
        Class::Data if how != How::Bisecting => Step::Try(How::Bisecting),
        // What takes longer than statement_timeout does so again.
        Class::Data | Class::Cancelled | Class::Stop => Step::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_narrowed_down_and_read_again() {
        let fenced = Failure::Fenced(Vec::new());
        assert_eq!(next_step(&fenced, 3, How::By(Way::Copy)), Step::Split);
        assert_eq!(next_step(&fenced, 1, How::By(Way::Copy)), Step::Reclaim);
    }

    #[test]
    fn a_database_that_is_away_is_waited_for() {
        let away = Failure::Connect("refused".to_owned());
        assert_eq!(next_step(&away, 3, How::By(Way::Copy)), Step::Wait);
        assert_eq!(next_step(&away, 1, How::Bisecting), Step::Wait);
    }

    #[test]
    fn partitions_without_new_meters_do_not_wait_for_the_others() {
        let budget = Failure::MeterBudget(Duration::from_secs(1));
        assert_eq!(next_step(&budget, 2, How::By(Way::Copy)), Step::Split);
        assert_eq!(next_step(&budget, 1, How::By(Way::Copy)), Step::Wait);
    }
}
