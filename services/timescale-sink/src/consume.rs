//! The consumer's thread of one writer: polls Kafka, decodes from the client's own memory, fills the next batch while
//! the writer writes the one before, and keeps each partition where the database's offset is.

pub(crate) mod decode;
pub(crate) mod events;
mod hand_over;
mod place;
mod silent;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaErrorCode;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use wattline_service::kafka::ClientEnded;

use wattline_stream::{Assignment, Assignments, Claim, Mark, Partition, Silence, Topics};

use crate::batch::Batch;
use crate::config::Config;
use crate::health::Health;
use crate::metrics::{ErrorClass, Metrics, Stage};
use crate::work::{Answer, Work};
use decode::decode;

use events::{Event, KafkaConsumer};
use place::{Arrival, Place, Wanted};

/// Longest wait for a record, so that everything else is looked after too.
const POLL: Duration = Duration::from_millis(100);
/// Records taken in a row before that.
const POLLS_IN_A_ROW: usize = 1000;

/// The thread's state.
pub(crate) struct Consuming {
    /// Number of the writer in the process.
    pub(crate) writer: usize,
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// The topics' names.
    pub(crate) topics: Topics,
    /// The client.
    pub(crate) consumer: Arc<KafkaConsumer>,
    /// What the group gave.
    pub(crate) assignments: Arc<Assignments>,
    /// Where batches and claims go.
    pub(crate) work: mpsc::Sender<Work>,
    /// What became of them.
    pub(crate) answers: mpsc::Receiver<Answer>,
    /// Metrics.
    pub(crate) metrics: Metrics,
    /// Readiness.
    pub(crate) health: Arc<Health>,
    /// Cancelled when the process shall stop.
    pub(crate) stop: CancellationToken,
    /// The runtime of the writer.
    pub(crate) runtime: Handle,
    /// What changes while it runs.
    pub(crate) state: State,
}

/// What changes while the thread runs.
#[derive(Debug, Default)]
pub(crate) struct State {
    held: HashMap<Partition, Held>,
    batch: Batch,
    claims: Vec<Claim>,
    paused: bool,
    /// When it was looked for partitions that deliver nothing.
    listened: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    assignment: Assignment,
    place: Place,
    silence: Silence,
    /// What is at this offset doesn't come, and that was said.
    missing: Option<i64>,
}

// === impl Consuming ===

impl Consuming {
    /// Runs until the process shall stop, then hands over what it has and waits for its end.
    ///
    /// # Errors
    /// Where the client can't go on, or the writer has ended.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let topics: Vec<&str> = self.topics.iter().map(|(_, name)| name).collect();
        self.consumer
            .subscribe(&topics)
            .with_context(|| format!("cannot subscribe to {}", topics.join(" and ")))?;
        while !self.stop.is_cancelled() {
            let now = Instant::now();
            self.take_rebalances();
            self.take_answers();
            self.look_after_partitions(now);
            self.listen(now);
            self.hand_over(now)?;
            self.poll(now)?;
        }
        self.finish()
    }

    fn poll(&mut self, now: Instant) -> anyhow::Result<()> {
        let consumer = Arc::clone(&self.consumer);
        let mut wait = self.state.batch.wait(&self.config.batch, now).map_or(POLL, |wait| wait.min(POLL));
        if self.state.batch.is_full(&self.config.batch) && !self.state.paused {
            // Records must not come while there is no room for them.
            return Ok(());
        }
        for _ in 0..POLLS_IN_A_ROW {
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => self.take(&message, now),
                Some(Err(error)) => self.note(&error)?,
            }
            if self.state.batch.is_full(&self.config.batch) || consumer.context().listener().has_some() {
                break;
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn take(&mut self, message: &BorrowedMessage<'_>, now: Instant) {
        let Some(stream) = self.topics.stream(message.topic()) else { return };
        let partition = Partition { stream, number: message.partition() };
        let Some(held) = self.state.held.get_mut(&partition) else { return };
        let Place::Reading(wanted) = held.place else { return };
        let (offset, next) = (message.offset(), wanted.next);
        match wanted.arrival(offset, || message.timestamp().to_millis()) {
            Arrival::Next | Arrival::Jump if self.state.batch.is_full(&self.config.batch) => {
                held.place = Place::Seeking(wanted);
            }
            // Whether what was jumped over was ever there is asked before it is written.
            Arrival::Next | Arrival::Jump => {
                let value = message.payload().unwrap_or_default();
                let content = decode(stream, message.key(), value);
                self.state.batch.push((partition, held.assignment), next..=offset, value, content, now);
                let mark = message.timestamp().to_millis().map(|at_ms| Mark { offset, at_ms });
                self.state.batch.mark(partition, mark);
                self.state.batch.messages.note(message);
                held.place = Place::Reading(Wanted { next: offset + 1, mark: None });
            }
            Arrival::SameLog => {}
            Arrival::Stored => {
                self.metrics.skipped.inc();
            }
            Arrival::AnotherLog => {
                warn!(?partition, "{stream:?} {}: the record at {offset} is another one", partition.number);
                self.claim(partition, true);
            }
            Arrival::Back => {
                self.metrics.skipped.inc();
                warn!(?partition, "{stream:?} {}: Kafka went back from {next} to {offset}", partition.number);
                self.claim(partition, false);
            }
        }
    }

    /// An error that the client reports in place of a record.
    fn note(&self, error: &KafkaError) -> anyhow::Result<()> {
        self.metrics.error(Stage::Consuming, ErrorClass::Transient);
        match error {
            KafkaError::MessageConsumptionFatal(code) => return Err(ClientEnded::Fatal(*code).into()),
            KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic),
            ) => {
                let text = format!("a topic is missing ({code}): create it with `wattlinectl topics`");
                error!("{text}");
                self.health.kafka(Some(text));
            }
            other => warn!("Kafka: {other}"),
        }
        Ok(())
    }

    fn take_rebalances(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        for event in consumer.context().listener().take() {
            match event {
                Event::Assigned(partitions) => {
                    info!("the group gives {} partitions to writer {}", partitions.len(), self.writer);
                    for partition in partitions {
                        self.claim(partition, false);
                    }
                    self.health.assigned(self.writer);
                }
                Event::Revoked(partitions) => {
                    info!("the group takes {} partitions from writer {}", partitions.len(), self.writer);
                    for partition in partitions {
                        // Its records are read again by whoever has it now. A transaction that runs may finish.
                        self.state.batch.remove(partition);
                        if self.state.held.remove(&partition).is_some() {
                            self.metrics.partitions_assigned.dec();
                        }
                        self.state.claims.retain(|claim| claim.partition != partition);
                        self.health.goes_on(partition);
                        self.health.silent(partition, None);
                        self.metrics.partitions_stopped.set(self.health.stopped_count());
                        self.metrics.forget(partition);
                    }
                }
            }
        }
    }

    fn take_answers(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            match answer {
                Answer::Claimed(claim, next, mark) => {
                    self.place(claim.partition, claim.assignment, Place::Seeking(Wanted { next, mark }));
                }
                // An answer to an older assignment is none any more.
                Answer::Again(partition, assignment, wait)
                    if self.assignments.holds(partition, assignment) =>
                {
                    self.state.batch.remove(partition);
                    self.pause(&[partition]);
                    self.place(partition, assignment, Place::Waiting(Instant::now() + wait));
                }
                Answer::Again(..) => {}
                Answer::Written(offsets) => self.store_offsets(&offsets),
            }
        }
    }

    fn look_after_partitions(&mut self, now: Instant) {
        let mut again = Vec::new();
        let mut seek = Vec::new();
        for (partition, held) in &self.state.held {
            match held.place {
                Place::Waiting(until) if until <= now => again.push(*partition),
                Place::Seeking(wanted) => seek.push((*partition, wanted)),
                Place::Claiming | Place::Waiting(_) | Place::Reading(_) => {}
            }
        }
        for partition in again {
            self.claim(partition, false);
        }
        for (partition, wanted) in seek {
            self.seek(partition, wanted);
        }
    }

    /// Takes a partition on, anew: what was read under the old assignment is not written any more.
    fn claim(&mut self, partition: Partition, is_another_log: bool) {
        self.pause(&[partition]);
        self.state.batch.remove(partition);
        let assignment = self.assignments.take(partition);
        let before = self.state.held.remove(&partition);
        if before.is_none() {
            self.metrics.partitions_assigned.inc();
        }
        let (silence, missing) = before.map(|held| (held.silence, held.missing)).unwrap_or_default();
        self.state.held.insert(partition, Held { assignment, place: Place::Claiming, silence, missing });
        self.state.claims.retain(|claim| claim.partition != partition);
        self.state.claims.push(Claim { partition, assignment, is_another_log });
    }

    fn seek(&mut self, partition: Partition, wanted: Wanted) {
        let topic = self.topics.of(partition.stream);
        let begin = wanted.begin();
        // Right after an assignment the client may not have begun with the partition: then it is tried again.
        match self.consumer.seek(topic, partition.number, Offset::Offset(begin), Duration::from_secs(1)) {
            Ok(()) => {
                self.metrics.seeks.inc();
                if let Some(held) = self.state.held.get_mut(&partition) {
                    held.place = Place::Reading(wanted);
                }
                if !self.state.paused {
                    self.resume(&[partition]);
                }
            }
            Err(error) => debug!(?partition, "cannot seek to {begin} yet: {error}"),
        }
    }

    fn place(&mut self, partition: Partition, assignment: Assignment, place: Place) {
        let held = self.state.held.get_mut(&partition).filter(|held| held.assignment == assignment);
        if let Some(held) = held {
            held.place = place;
        }
    }

    fn reading(&self) -> Vec<Partition> {
        let reading = |(partition, held): (&Partition, &Held)| {
            matches!(held.place, Place::Reading(_)).then_some(*partition)
        };
        self.state.held.iter().filter_map(reading).collect()
    }

    fn pause(&self, partitions: &[Partition]) {
        if let Err(error) = self.consumer.pause(&self.list(partitions)) {
            debug!("cannot pause: {error}");
        }
    }

    fn resume(&self, partitions: &[Partition]) {
        if let Err(error) = self.consumer.resume(&self.list(partitions)) {
            warn!("cannot resume: {error}");
        }
    }

    fn list(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(self.topics.of(partition.stream), partition.number);
        }
        list
    }
}
