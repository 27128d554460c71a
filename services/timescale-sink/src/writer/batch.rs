//! Writing a batch: one transaction for all of it, and what a failure makes of that.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info_span};
use wattline_reading::Timestamp;
use wattline_service::Backoff;

use super::Writer;
use super::step::{Step, next_step};
use crate::batch::{Batch, Set};
use crate::failure::Failure;
use crate::metrics::{ErrorClass, Stage, Way, WayLabels};
use crate::work::Answer;
use crate::write::Written;

impl Writer {
    /// Writes a batch, however long it takes.
    pub(super) async fn write_all(&mut self, mut batch: Batch) {
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
            match next_step(&failure, sets.len(), way) {
                Step::Split => return sets,
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
                    let wait = match failure {
                        Failure::MeterBudget(wait) => wait,
                        _ if self.writing.blockers.held() => Duration::ZERO,
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
