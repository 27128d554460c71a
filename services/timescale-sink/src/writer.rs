//! A writer: takes partitions on, writes batches, and decides what an error means for them. It has one connection
//! and does one thing after the other, while its consumer's thread fills the next batch.

mod batch;
mod claim;
mod step;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use wattline_service::traces::Links;
use wattline_stream::{Asking, Assignments, Partition};

use crate::batch::Set;
use crate::config::Config;
use crate::consume::events::KafkaConsumer;
use crate::failure::{Class, Failure};
use crate::health::Health;
use crate::metrics::{ErrorClass, Metrics, Stage};
use crate::session::Session;
use crate::work::{Answer, Work};
use crate::write::Writing;

/// How often a writer that has nothing to do looks whether its connection still stands.
const CONNECTION_LOOK: Duration = Duration::from_secs(1);

/// A writer and what it needs.
pub(crate) struct Writer {
    /// Its number in the process.
    pub(crate) index: usize,
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// The member of the group that feeds it.
    pub(crate) consumer: Arc<KafkaConsumer>,
    /// What that member holds.
    pub(crate) assignments: Arc<Assignments>,
    /// Partitions about which Kafka is being asked.
    pub(crate) asking: Asking,
    /// What it writes with.
    pub(crate) writing: Writing,
    /// Its connection, while there is one.
    pub(crate) session: Option<Session>,
    /// Which server it led to, and whether that one is known to have gone on since.
    pub(crate) server: Server,
    /// The traced messages in the batch that it writes.
    pub(crate) messages: Links,
    /// Where answers go.
    pub(crate) answers: mpsc::Sender<Answer>,
    /// Metrics.
    pub(crate) metrics: Metrics,
    /// Readiness.
    pub(crate) health: Arc<Health>,
    /// Cancelled when the process shall stop.
    pub(crate) stop: CancellationToken,
}

/// What a writer knows of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// There was no connection yet.
    Unknown,
    /// The last connection led to a server that runs since then, and was not lost.
    Since(DateTime<Utc>),
    /// The last connection was lost. The server behind the next one may lack what was committed last.
    Lost,
}

// === impl Writer ===

impl Writer {
    /// Works until the consumer's thread has ended.
    pub(crate) async fn run(mut self, mut work: mpsc::Receiver<Work>) {
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
        self.writing.meters.forget();
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
            self.writing.meters.forget();
        }
        let usable = match &failure {
            Failure::Connect(_) | Failure::Timeout(_) => false,
            Failure::Database(_) | Failure::TooManyRefused(..) => {
                let sound = matches!(failure.class(), Class::Transient | Class::Data | Class::Cancelled);
                sound || failure.is_unique_violation()
            }
            Failure::Fenced(_) | Failure::MetersGone | Failure::Kafka(_) | Failure::Refused(_) => true,
        };
        if session.client().is_closed() {
            self.server = Server::Lost;
        } else if usable && session.rolled_back().await {
            self.session = Some(session);
        }
        failure
    }

    fn transient(&self, stage: Stage, failure: &Failure) {
        self.metrics.error(stage, ErrorClass::Transient);
        self.health.database(self.index, Some(failure.to_string()));
        warn!("it is tried again: {failure}");
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
