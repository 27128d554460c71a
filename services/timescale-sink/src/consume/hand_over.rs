//! Batches and claims to the writer, and its answers to the group.

use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::consumer::Consumer;
use tokio::sync::mpsc;
use tracing::debug;
use wattline_stream::{Partition, Topics};

use super::Consuming;
use super::events::KafkaConsumer;
use crate::work::{Answer, Work};

/// A batch that is old waits so long for its writer before it takes what has come meanwhile: without any wait the thread
/// turned in a circle, for 7 µs of CPU a record.
const GROWTH: Duration = Duration::from_millis(5);
/// A writer that is busy for longer than this makes its partitions pause: then the group can still be served.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the writer has room for a batch.
enum Reserve<'a> {
    /// Here it is.
    Room(mpsc::Permit<'a, Work>),
    /// It is busy.
    Busy,
    /// It has ended.
    Closed,
}

// === impl Consuming ===

impl Consuming {
    /// Gives claims and the batch to the writer, when they are due and it has room.
    pub(super) fn hand_over(&mut self, now: Instant) -> anyhow::Result<()> {
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
                let batch = std::mem::take(&mut self.state.batch);
                batch.ends().for_each(|(partition, next)| self.metrics.handed_over(partition, next));
                permit.send(Work::Write(batch));
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
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
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

    pub(super) fn store_offsets(&self, offsets: &[(Partition, i64)]) {
        store_offsets(&self.consumer, &self.topics, offsets);
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
