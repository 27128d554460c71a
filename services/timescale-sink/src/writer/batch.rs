//! Writing a batch: one transaction for all of it, and what a failure makes of that.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info_span, warn};
use wattline_reading::Timestamp;
use wattline_service::Backoff;
use wattline_stream::ask::watermarks;
use wattline_stream::{Assignment, Partition};

use super::Writer;
use super::claim::CLAIM_RETRY;
use super::step::{Step, next_step};
use crate::batch::{Batch, Hole, Set};
use crate::failure::Failure;
use crate::metrics::{ErrorClass, Stage, Way, WayLabels};
use crate::work::Answer;
use crate::write::Written;

impl Writer {
    /// Writes a batch, however long it takes.
    pub(super) async fn write_all(&mut self, mut batch: Batch) {
        self.messages = std::mem::take(&mut batch.messages);
        let mut sets = batch.into_sets();
        let cut = self.cut_at_holes(&mut sets).await;
        sets.retain(|set| !set.records.is_empty());
        let mut groups = VecDeque::from([sets]);
        while let Some(sets) = groups.pop_front() {
            // Before all others: two halves of a set must stay in their order.
            for set in self.write_group(sets).await.into_iter().rev() {
                groups.push_front(vec![set]);
            }
        }
        for (partition, assignment, wait) in cut {
            self.answer(Answer::Again(partition, assignment, wait)).await;
        }
        self.show_stopped();
    }

    /// Offsets for which nothing came hold no record, if Kafka still keeps everything from the first of them on: markers
    /// of transactions, records of aborted ones, what compaction took. Else they may have been deleted before they were
    /// read: what is behind them is cut off, and read again after a claim, which counts what is lost.
    async fn cut_at_holes(&self, sets: &mut [Set]) -> Vec<(Partition, Assignment, Duration)> {
        let mut asked = JoinSet::new();
        for set in &*sets {
            let Some(Hole { from, .. }) = set.hole else { continue };
            let (partition, consumer) = (set.partition, Arc::clone(&self.consumer));
            let topic = self.writing.offsets.topics.of(partition.stream).to_owned();
            asked.spawn(
                async move { (partition, from, watermarks(&consumer, &topic, partition.number).await) },
            );
        }
        // Who doesn't answer has no say: what is not known to be nothing is cut.
        let mut kept = HashSet::new();
        let mut lost = HashSet::new();
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((partition, from, Ok((low, _)))) if low <= from => {
                    kept.insert(partition);
                }
                Ok((partition, from, Ok((low, _)))) => {
                    let Partition { stream, number } = partition;
                    warn!("{stream:?} {number}: Kafka begins at {low} now, and nothing came from {from} on");
                    lost.insert(partition);
                }
                Ok((partition, from, Err(error))) => {
                    let Partition { stream, number } = partition;
                    self.metrics.error(Stage::Claiming, ErrorClass::Transient);
                    warn!(
                        "{stream:?} {number}: nothing came for offset {from}, and why is not known: {error}"
                    );
                }
                Err(error) => warn!("asking Kafka about offsets without a record has failed: {error}"),
            }
        }
        let unknown = sets.iter_mut().filter(|set| set.hole.is_some() && !kept.contains(&set.partition));
        let cut = unknown.map(|set| {
            set.cut();
            let wait = if lost.contains(&set.partition) { Duration::ZERO } else { CLAIM_RETRY };
            (set.partition, set.assignment, wait)
        });
        cut.collect()
    }

    /// Writes the sets, however long it takes; gives back what must be tried set by set, in this order.
    async fn write_group(&mut self, mut sets: Vec<Set>) -> Vec<Set> {
        let mut backoff = Backoff::default();
        let mut way = Way::Copy;
        loop {
            sets.retain(|set| self.assignments.holds(set.partition, set.assignment));
            if sets.is_empty() {
                return Vec::new();
            }
            let begun = Instant::now();
            let span = self.span(&sets);
            let failure = match self.attempt(&sets, way).instrument(span.clone()).await {
                Ok(written) => {
                    note(&span, &written, begun);
                    self.report(&sets, &written, way, begun).await;
                    return Vec::new();
                }
                Err(failure) => failure,
            };
            let records = sets.iter().map(|set| set.records.len()).sum();
            match next_step(&failure, sets.len(), records, way) {
                Step::Split => return sets,
                Step::Halve => {
                    self.metrics.error(Stage::Writing, ErrorClass::Transient);
                    debug!("{failure}: half of {records} records at once");
                    return sets.into_iter().flat_map(Set::halves).collect();
                }
                Step::Try(next) => way = next,
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
                    let wait =
                        if self.writing.blockers.held() { Duration::ZERO } else { backoff.next_wait() };
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
            }
        }
    }

    /// One transaction, and what the registry gets after it.
    async fn attempt(&mut self, sets: &[Set], way: Way) -> Result<Written, Failure> {
        let mut session = self.take_session().await?;
        let timeout = Duration::from_millis(self.config.store.flush_timeout_ms);
        let writing = self.writing.write(&mut session, sets, way);
        let result = tokio::time::timeout(timeout, writing).await;
        let written = match result.unwrap_or(Err(Failure::Timeout(timeout))) {
            Ok(written) => written,
            Err(failure) => return Err(self.put_back(session, failure).await),
        };
        match self.writing.meters.write_seen(&mut session).await {
            Ok(()) => self.session = Some(session),
            // Nothing depends on it: the next minute tries again.
            Err(failure) => debug!("last_seen is not written: {failure}"),
        }
        Ok(written)
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

    async fn report(&self, sets: &[Set], written: &Written, way: Way, begun: Instant) {
        self.health.database(self.index, None);
        for outcome in &written.outcomes {
            self.health.goes_on(outcome.partition);
            self.metrics.outcome(outcome);
        }
        let way = WayLabels { way: way.as_str() };
        self.metrics.batches.get_or_create(&way).inc();
        let records: u32 = sets.iter().map(|set| u32::try_from(set.records.len()).unwrap_or(u32::MAX)).sum();
        self.metrics.batch_records.observe(f64::from(records));
        self.metrics.write_seconds.observe(begun.elapsed().as_secs_f64());
        if let Some(oldest) = written.oldest_received_at {
            let delay_us = Timestamp::now().micros().saturating_sub(oldest.micros());
            let delay = Duration::from_micros(u64::try_from(delay_us).unwrap_or(0));
            self.metrics.delay_seconds.observe(delay.as_secs_f64());
        }
        let stored = sets.iter().map(|set| (set.partition, set.next_offset())).collect();
        self.answer(Answer::Written(stored)).await;
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
