//! What others hear of the computing: the group, readiness, metrics; and what a failure makes of it.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use tracing::{debug, error, warn};
use wattline_service::Backoff;

use super::Computer;
use crate::failure::{Class, Failure};
use crate::stream::{Partition, State};
use crate::transact::Report;

/// When a partition that another one claimed is claimed back, if Kafka still says it's ours.
const CLAIM_BACK_MS: u64 = 2_000;

impl Computer {
    /// The own offsets as the group's, for lag tools; nothing reads them back.
    pub(super) fn tell_group(&self, report: &Report) {
        let mut partitions = self.stream.lock();
        let mut list = TopicPartitionList::new();
        for (id, next) in &report.advanced {
            if let Some(entry) = partitions.get_mut(id) {
                entry.own_offset = *next;
                let topic = &self.config.input.readings_topic;
                if let Err(error) = list.add_partition_offset(topic, *id, rdkafka::Offset::Offset(*next)) {
                    debug!("no group offset for partition {id}: {error}");
                }
            }
        }
        drop(partitions);
        if list.count() > 0
            && let Err(error) = self.member.commit(&list, CommitMode::Async)
        {
            debug!("the group's offsets were not committed: {error}");
        }
    }

    /// What to do about a failure, and how long to wait first.
    pub(super) fn judge(&mut self, failure: &Failure, backoff: &mut Backoff) -> Duration {
        if let Failure::NotOwner(partitions) = failure {
            warn!("{failure}: what was read of them is forgotten");
            self.stream.lose(partitions, self.stream.now().steady_ms + CLAIM_BACK_MS);
        }
        if let Failure::SinkWentBack(partition) = failure {
            warn!("{failure}: what was read of it is forgotten, and read again from the own row");
            self.stream.lose(&[*partition], 0);
        }
        match failure.class() {
            Class::Again => {
                debug!("again: {failure}");
                Duration::ZERO
            }
            Class::Transient => {
                warn!("{failure}; trying again");
                self.database.fails(failure.to_string());
                backoff.next_wait()
            }
            Class::TooLong => {
                self.group_ranges = (self.group_ranges / 4).max(1);
                warn!("{failure}; trying again with {} ranges at once", self.group_ranges);
                backoff.next_wait()
            }
            Class::Stop => {
                error!("computing is stopped: {failure}");
                self.database.fails(failure.to_string());
                Duration::from_millis(self.config.recompute.retry_stopped_ms)
            }
        }
    }

    pub(super) fn say_state(&self) {
        let mut partitions = self.stream.lock();
        let mut behind_seconds: f64 = 0.0;
        for entry in partitions.values_mut().filter(|entry| entry.state == State::Owned) {
            let now = std::time::Instant::now();
            behind_seconds = behind_seconds.max(entry.behind.look(entry.own_offset, entry.sink_offset, now));
        }
        self.metrics.behind_seconds.set(behind_seconds);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let entries = || partitions.values();
        let stopped = entries().find_map(|entry| match (&entry.state, &entry.missing) {
            (State::Stopped(_, why), _) | (_, Some((_, why))) => Some(why.clone()),
            _ => None,
        });
        let owned = || entries().filter(|entry| entry.state == State::Owned);
        self.metrics.partitions_owned.set(count(owned().count()));
        self.metrics.partitions_stopped.set(count(entries().filter(|entry| entry.is_stopped()).count()));
        self.metrics.marks.set(count(entries().map(|entry| entry.marks.len()).sum()));
        self.metrics.ahead_records.set(owned().map(Partition::ahead).sum());
        self.metrics.behind_records.set(owned().map(|entry| entry.position - entry.own_offset).sum());
        let all_owned = owned().count() == partitions.len();
        drop(partitions);
        match stopped {
            Some(why) => self.database.fails(why),
            None if all_owned && self.session.as_ref().is_some_and(|session| !session.client.is_closed()) => {
                self.database.holds();
            }
            None => {}
        }
    }
}
