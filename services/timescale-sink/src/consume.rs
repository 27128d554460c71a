//! The consumer's thread of one writer: polls Kafka, decodes from the client's own memory, fills the next batch while
//! the writer writes the one before, and keeps each partition where the database's offset is.

pub mod decode;
pub mod events;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
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

use wattline_stream::{Assignment, Assignments, Claim, Partition, Topics};

use crate::batch::Batch;
use crate::config::Config;
use crate::health::Health;
use crate::metrics::{ErrorClass, Metrics, Stage};
use crate::work::{Answer, Work};
use decode::decode;

use events::{Event, KafkaConsumer};

/// Longest wait for a record, so that everything else is looked after too.
const POLL: Duration = Duration::from_millis(50);
/// Records taken in a row before that.
const POLLS_IN_A_ROW: usize = 1000;
/// A batch that is old waits so long for its writer before it takes what has come meanwhile: without any wait the thread
/// turned in a circle, for 7 µs of CPU a record.
const GROWTH: Duration = Duration::from_millis(5);
/// A writer that is busy for longer than this makes its partitions pause: then the group can still be served.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread's state.
pub struct Consuming {
    /// Number of the writer in the process.
    pub writer: usize,
    /// The configuration.
    pub config: Arc<Config>,
    /// The topics' names.
    pub topics: Topics,
    /// The client.
    pub consumer: Arc<KafkaConsumer>,
    /// What the group gave.
    pub assignments: Arc<Assignments>,
    /// Where batches and claims go.
    pub work: mpsc::Sender<Work>,
    /// What became of them.
    pub answers: mpsc::Receiver<Answer>,
    /// Metrics.
    pub metrics: Metrics,
    /// Readiness.
    pub health: Arc<Health>,
    /// Cancelled when the process shall stop.
    pub stop: CancellationToken,
    /// The runtime of the writer.
    pub runtime: Handle,
    /// What changes while it runs.
    pub state: State,
}

/// What changes while the thread runs.
#[derive(Debug, Default)]
pub struct State {
    held: HashMap<Partition, Held>,
    batch: Batch,
    claims: Vec<Claim>,
    paused: bool,
}

#[derive(Debug)]
struct Held {
    assignment: Assignment,
    place: Place,
}

/// Where a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The writer takes it on.
    Claiming,
    /// It is claimed again at this time.
    Waiting(Instant),
    /// The client must be moved to this offset.
    Seeking(i64),
    /// Records are taken; this is the next. `first`: none was taken yet since the seek.
    Reading { next: i64, first: bool },
}

/// Whether the writer has room for a batch.
enum Reserve<'a> {
    /// Here it is.
    Room(mpsc::Permit<'a, Work>),
    /// It is busy.
    Busy,
    /// It has ended.
    Closed,
}

/// What an offset means for a partition that waits for `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// It is the next.
    Next,
    /// It is stored already.
    Stored,
    /// The client jumped back, which it does of its own accord only when it finds another log.
    Back,
    /// Records are missing before it.
    Gap,
    /// Records are missing before it, and they aren't there: it was asked for the first of them.
    Hole,
}

// === impl Consuming ===

impl Consuming {
    /// Runs until the process shall stop, then hands over what it has and waits for its end.
    ///
    /// # Errors
    /// Where the client can't go on, or the writer has ended.
    pub fn run(mut self) -> anyhow::Result<()> {
        let topics: Vec<&str> = self.topics.iter().map(|(_, name)| name).collect();
        self.consumer
            .subscribe(&topics)
            .with_context(|| format!("cannot subscribe to {}", topics.join(" and ")))?;
        while !self.stop.is_cancelled() {
            let now = Instant::now();
            self.take_rebalances();
            self.take_answers();
            self.look_after_partitions(now);
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
        let Place::Reading { next, first } = held.place else { return };
        let offset = message.offset();
        match arrival(offset, next, first) {
            Arrival::Next if self.state.batch.is_full(&self.config.batch) => {
                held.place = Place::Seeking(next);
            }
            Arrival::Next => {
                let value = message.payload().unwrap_or_default();
                let content = decode(stream, message.key(), value);
                self.state.batch.push((partition, held.assignment), offset, value, content, now);
                self.state.batch.messages.note(message);
                held.place = Place::Reading { next: next + 1, first: false };
            }
            Arrival::Stored => {
                self.metrics.skipped.inc();
            }
            Arrival::Back => {
                self.metrics.skipped.inc();
                warn!(?partition, "{stream:?} {}: Kafka went back from {next} to {offset}", partition.number);
                self.claim(partition, None);
            }
            Arrival::Gap => {
                warn!(?partition, "{stream:?} {}: waiting for {next}, but {offset} came", partition.number);
                self.claim(partition, None);
            }
            Arrival::Hole => self.claim(partition, Some(offset)),
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
                        self.claim(partition, None);
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
                Answer::Claimed(claim, next) => {
                    self.place(claim.partition, claim.assignment, Place::Seeking(next));
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
                Place::Seeking(next) => seek.push((*partition, next)),
                Place::Claiming | Place::Waiting(_) | Place::Reading { .. } => {}
            }
        }
        for partition in again {
            self.claim(partition, None);
        }
        for (partition, next) in seek {
            self.seek(partition, next);
        }
    }

    /// Takes a partition on, anew: what was read under the old assignment is not written any more.
    fn claim(&mut self, partition: Partition, hole_to: Option<i64>) {
        self.pause(&[partition]);
        self.state.batch.remove(partition);
        let assignment = self.assignments.take(partition);
        let held = Held { assignment, place: Place::Claiming };
        if self.state.held.insert(partition, held).is_none() {
            self.metrics.partitions_assigned.inc();
        }
        self.state.claims.retain(|claim| claim.partition != partition);
        self.state.claims.push(Claim { partition, assignment, hole_to });
    }

    fn seek(&mut self, partition: Partition, next: i64) {
        let topic = self.topics.of(partition.stream);
        // Right after an assignment the client may not have begun with the partition: then it is tried again.
        match self.consumer.seek(topic, partition.number, Offset::Offset(next), Duration::from_secs(1)) {
            Ok(()) => {
                self.metrics.seeks.inc();
                if let Some(held) = self.state.held.get_mut(&partition) {
                    held.place = Place::Reading { next, first: true };
                }
                if !self.state.paused {
                    self.resume(&[partition]);
                }
            }
            Err(error) => debug!(?partition, "cannot seek to {next} yet: {error}"),
        }
    }

    /// Gives claims and the batch to the writer, when they are due and it has room.
    fn hand_over(&mut self, now: Instant) -> anyhow::Result<()> {
        if !self.state.claims.is_empty() {
            match self.work.try_reserve() {
                Ok(permit) => permit.send(Work::Claim(std::mem::take(&mut self.state.claims))),
                Err(mpsc::error::TrySendError::Full(())) => {}
                Err(mpsc::error::TrySendError::Closed(())) => return self.writer_ended(),
            }
        }
        // A revocation takes records out of a full batch. Emptied so, it would never be due, and the pause never end.
        if !self.state.batch.is_full(&self.config.batch) {
            self.go_on();
        }
        if !self.state.batch.is_due(&self.config.batch, now) {
            return Ok(());
        }
        let full = self.state.batch.is_full(&self.config.batch) && !self.state.paused;
        // A full batch must wait here, since no record can be taken; one that is only old grows meanwhile.
        let wait = if full { PATIENCE } else { GROWTH };
        let work = self.work.clone();
        let room = async { tokio::time::timeout(wait, work.reserve()).await };
        let reserved = match self.runtime.block_on(room) {
            Ok(Ok(permit)) => Reserve::Room(permit),
            Ok(Err(_)) => Reserve::Closed,
            Err(_) => Reserve::Busy,
        };
        match reserved {
            Reserve::Room(permit) => {
                permit.send(Work::Write(std::mem::take(&mut self.state.batch)));
                self.go_on();
                Ok(())
            }
            Reserve::Closed => self.writer_ended(),
            Reserve::Busy => {
                if full {
                    debug!("writer {} is busy: its partitions pause", self.writer);
                    self.state.paused = true;
                    self.pause(&self.reading());
                }
                Ok(())
            }
        }
    }

    fn go_on(&mut self) {
        if std::mem::take(&mut self.state.paused) {
            self.resume(&self.reading());
        }
    }

    fn writer_ended(&self) -> anyhow::Result<()> {
        if self.stop.is_cancelled() { Ok(()) } else { bail!("writer {} has ended", self.writer) }
    }

    /// The last batch is written if the deadline allows; what isn't is read again after the next start.
    fn finish(mut self) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.state.batch);
        let deadline = Duration::from_millis(self.config.service.stop_deadline_ms * 8 / 10);
        let runtime = self.runtime.clone();
        let sending = async {
            if !batch.is_empty() {
                // The writer has ended: then there is nothing to wait for.
                let _ = self.work.send(Work::Write(batch)).await;
            }
            drop(self.work);
            let mut written = Vec::new();
            while let Some(answer) = self.answers.recv().await {
                if let Answer::Written(offsets) = answer {
                    written.extend(offsets);
                }
            }
            written
        };
        let written =
            runtime.block_on(async { tokio::time::timeout(deadline, sending).await }).unwrap_or_default();
        store_offsets(&self.consumer, &self.topics, &written);
        for (partition, _) in self.assignments.held() {
            self.assignments.release(partition);
        }
        Ok(())
    }

    fn store_offsets(&self, offsets: &[(Partition, i64)]) {
        store_offsets(&self.consumer, &self.topics, offsets);
    }

    fn place(&mut self, partition: Partition, assignment: Assignment, place: Place) {
        let held = self.state.held.get_mut(&partition).filter(|held| held.assignment == assignment);
        if let Some(held) = held {
            held.place = place;
        }
    }

    fn reading(&self) -> Vec<Partition> {
        let reading = |(partition, held): (&Partition, &Held)| {
            matches!(held.place, Place::Reading { .. }).then_some(*partition)
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

/// Tells the group how far this is: a hint for the next start and for tools that show the lag.
fn store_offsets(consumer: &KafkaConsumer, topics: &Topics, offsets: &[(Partition, i64)]) {
    for (partition, next) in offsets {
        // One that was taken away meanwhile is refused, rightly.
        if let Err(error) = consumer.store_offset(topics.of(partition.stream), partition.number, next - 1) {
            debug!(?partition, "the group's offset is not stored: {error}");
        }
    }
}

fn arrival(offset: i64, next: i64, first: bool) -> Arrival {
    match offset.cmp(&next) {
        std::cmp::Ordering::Equal => Arrival::Next,
        std::cmp::Ordering::Less if first => Arrival::Stored,
        std::cmp::Ordering::Less => Arrival::Back,
        std::cmp::Ordering::Greater if first => Arrival::Hole,
        std::cmp::Ordering::Greater => Arrival::Gap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_its_meaning() {
        for (offset, next, first, expected) in [
            (5, 5, true, Arrival::Next),
            (5, 5, false, Arrival::Next),
            (4, 5, true, Arrival::Stored),
            (4, 5, false, Arrival::Back),
            (6, 5, true, Arrival::Hole),
            (6, 5, false, Arrival::Gap),
        ] {
            assert_eq!(arrival(offset, next, first), expected);
        }
    }
}
