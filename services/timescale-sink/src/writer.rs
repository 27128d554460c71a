//! A writer: takes partitions on, writes batches, and decides what an error means for them. It has one connection
//! and does one thing after the other, while its consumer's thread fills the next batch.

mod claim;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, error, info, info_span, warn};
use wattline_service::Backoff;
use wattline_service::traces::Links;
use wattline_stream::{Asking, Assignments, Blockers, Partition};

use crate::batch::{Batch, Set};
use crate::config::Config;
use crate::consume::events::KafkaConsumer;
use crate::failure::{Class, Failure};
use crate::health::Health;
use crate::metrics::{ErrorClass, Metrics, Stage, Way, WayLabels};
use crate::session::Session;
use crate::work::{Answer, Work};
use crate::write::meters::Meters;
use crate::write::{self, bisect};
use crate::write::{Writing, Written};

/// How often a writer that has nothing to do looks whether its connection still stands.
const CONNECTION_LOOK: Duration = Duration::from_secs(1);

/// A writer and what it needs.
pub struct Writer {
    /// Its number in the process.
    pub index: usize,
    /// The configuration.
    pub config: Arc<Config>,
    /// The member of the group that feeds it.
    pub consumer: Arc<KafkaConsumer>,
    /// What that member holds.
    pub assignments: Arc<Assignments>,
    /// Partitions about which Kafka is being asked.
    pub asking: Asking,
    /// Names and limits.
    pub writing: Writing,
    /// What it knows of meters.
    pub meters: Meters,
    /// Its connection, while there is one.
    pub session: Option<Session>,
    /// Which server it led to, and whether that one is known to have gone on since.
    pub server: Server,
    /// Ends whoever keeps an offset row from it.
    pub blockers: Blockers,
    /// The traced messages in the batch that it writes.
    pub messages: Links,
    /// Where answers go.
    pub answers: mpsc::Sender<Answer>,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness.
    pub health: Arc<Health>,
    /// Cancelled when the process shall stop.
    pub stop: CancellationToken,
}

/// What a writer knows of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// There was no connection yet.
    Unknown,
    /// The last connection led to a server that runs since then, and was not lost.
    Since(DateTime<Utc>),
    /// The last connection was lost. The server behind the next one may lack what was committed last.
    Lost,
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
        let mut look = tokio::time::interval(CONNECTION_LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                (claim, present) = self.asking.next() => self.claim(claim, present).await,
                work = work.recv() => match work {
                    Some(Work::Claim(claims)) => self.ask(claims),
                    Some(Work::Write(batch)) => self.write_all(batch).await,
                    None => return,
                },
                _ = look.tick() => self.look_after_connection().await,
            }
        }
    }

    /// A connection that was lost is made anew also where there is nothing to write: quiet partitions must learn that the
    /// database may lack what was committed last.
    async fn look_after_connection(&mut self) {
        if self.session.as_ref().is_some_and(|session| session.client().is_closed()) {
            self.session = None;
            self.server = Server::Lost;
        }
        if self.session.is_none() && self.server == Server::Lost {
            match self.take_session().await {
                Ok(session) => {
                    self.health.database(self.index, None);
                    self.session = Some(session);
                }
                Err(failure) => self.transient(Stage::Claiming, &failure),
            }
        }
    }

    async fn write_all(&mut self, mut batch: Batch) {
        self.messages = std::mem::take(&mut batch.messages);
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
            sets.retain(|set| self.assignments.holds(set.partition, set.assignment));
            if sets.is_empty() {
                return Vec::new();
            }
            let begun = Instant::now();
            let span = self.span(&sets);
            let failure = match self.attempt(&sets, how).instrument(span.clone()).await {
                Ok(written) => {
                    note(&span, &written, begun);
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
                        _ if self.blockers.held() => Duration::ZERO,
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
        let timeout = Duration::from_millis(self.config.store.flush_timeout_ms);
        let writing = self.write_once(&mut session, sets, how);
        let result = tokio::time::timeout(timeout, writing).await;
        match result.unwrap_or(Err(Failure::Timeout(timeout))) {
            Ok(written) => {
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

    async fn write_once(
        &mut self,
        session: &mut Session,
        sets: &[Set],
        how: How,
    ) -> Result<Written, Failure> {
        let Self { meters, blockers, writing, metrics, .. } = self;
        meters.resolve(session, sets, metrics).await?;
        match (how, sets) {
            (How::Bisecting, [set]) => bisect::write(session, meters, blockers, writing, set).await,
            (How::Bisecting, _) => write::write(session, meters, blockers, writing, sets, Way::Upsert).await,
            (How::By(way), _) => write::write(session, meters, blockers, writing, sets, way).await,
        }
    }

    /// The connection; a new one where there is none. After one that was lost, or to another server, all partitions are
    /// claimed anew: that server may lack what was committed last, and a quiet partition would not notice.
    async fn take_session(&mut self) -> Result<Session, Failure> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let name = format!("{}/{}", self.config.kafka.replica_name("wattline-timescale-sink"), self.index);
        let opened = Session::open(&self.config.database, &name, self.config.store.lock_timeout_ms).await;
        let session = opened.inspect_err(|_| {
            if self.server != Server::Unknown {
                self.server = Server::Lost;
            }
        })?;
        self.meters.forget();
        let now = Server::Since(session.server_start());
        let before = std::mem::replace(&mut self.server, now);
        if before != Server::Unknown && before != now {
            warn!("the connection to the database is a new one: all partitions are claimed anew");
            for (partition, assignment) in self.assignments.held() {
                self.answer(Answer::Again(partition, assignment, Duration::ZERO)).await;
            }
        }
        Ok(session)
    }

    /// Leaves the failed transaction; a connection that may be at fault is not used again.
    async fn put_back(&mut self, session: Session, failure: Failure) -> Failure {
        if matches!(failure, Failure::MetersGone) {
            self.meters.forget();
        }
        let usable = match &failure {
            Failure::Connect(_) | Failure::Timeout(_) => false,
            Failure::Database(_) | Failure::TooManyRefused(..) => {
                matches!(failure.class(), Class::Transient | Class::Data) || failure.is_unique_violation()
            }
            Failure::Fenced(_)
            | Failure::MeterBudget(_)
            | Failure::MetersGone
            | Failure::Kafka(_)
            | Failure::Refused(_) => true,
        };
        if session.client().is_closed() {
            self.server = Server::Lost;
        } else if usable && session.rolled_back().await {
            self.session = Some(session);
        }
        failure
    }

    /// One span a try: what it was for, and what came of it.
    fn span(&self, sets: &[Set]) -> Span {
        let rows: usize = sets.iter().map(|set| set.records.len()).sum();
        let bytes: usize = sets.iter().map(|set| set.payloads.len()).sum();
        let span = info_span!(
            "batch",
            writer = self.index,
            partitions = sets.len(),
            rows,
            bytes,
            stored = Empty,
            merged = Empty,
            duplicate = Empty,
            conflict = Empty,
            dead_lettered = Empty,
            duration_ms = Empty
        );
        self.messages.attach(&span);
        span
    }

    async fn report(&self, sets: &[Set], written: &Written, begun: Instant) {
        self.health.database(self.index, None);
        for outcome in &written.outcomes {
            self.health.goes_on(outcome.partition);
            self.metrics.outcome(outcome);
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
            self.answer(Answer::Again(set.partition, set.assignment, wait)).await;
        }
    }

    async fn answer(&self, answer: Answer) {
        // The thread has ended: then nobody needs the answer.
        let _ = self.answers.send(answer).await;
    }
}

/// What came of a batch, in its span.
fn note(span: &Span, written: &Written, begun: Instant) {
    let counts = &written.counts;
    span.record("stored", counts.stored);
    span.record("merged", counts.merged);
    span.record("duplicate", counts.duplicate);
    span.record("conflict", counts.conflict);
    span.record("dead_lettered", counts.dead_lettered);
    span.record("duration_ms", u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
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
