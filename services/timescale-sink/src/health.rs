//! What the process still needs to be ready, over all of its writers.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use wattline_service::{Condition, Ready};

use wattline_stream::Partition;

/// Conditions of readiness. A writer that loses the database makes the process not ready; so does a partition that
/// stopped.
#[derive(Debug)]
pub(crate) struct Health(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    kafka: Condition,
    database: Condition,
    partitions: Condition,
    /// Writers that have no assignment from the group yet.
    unassigned: BTreeSet<usize>,
    kafka_error: Option<String>,
    database_errors: BTreeMap<usize, String>,
    stopped: BTreeMap<Partition, String>,
    silent: BTreeMap<Partition, String>,
}

// === impl Health ===

impl Health {
    /// Nothing holds yet.
    #[must_use]
    pub(crate) fn new(ready: &Ready, writers: usize) -> Self {
        let not_connected = |writer| (writer, "not connected yet".to_owned());
        Self(Mutex::new(Inner {
            kafka: ready.condition("kafka", "no assignment from the consumer group yet"),
            database: ready.condition("database", "not connected yet"),
            partitions: ready.condition("partitions", "none is assigned yet"),
            unassigned: (0..writers).collect(),
            kafka_error: None,
            database_errors: (0..writers).map(not_connected).collect(),
            stopped: BTreeMap::new(),
            silent: BTreeMap::new(),
        }))
    }

    /// All clients are made anew, because of this error.
    pub(crate) fn begin_anew(&self, writers: usize, error: String) {
        self.update(|inner| {
            inner.unassigned = (0..writers).collect();
            inner.stopped.clear();
            inner.silent.clear();
            inner.kafka_error = Some(error);
        });
    }

    /// The group has given a writer its partitions, or none.
    pub(crate) fn assigned(&self, writer: usize) {
        self.update(|inner| {
            inner.unassigned.remove(&writer);
            inner.kafka_error = None;
        });
    }

    /// Whether the cluster answers.
    pub(crate) fn kafka(&self, error: Option<String>) {
        self.update(|inner| inner.kafka_error = error);
    }

    /// Whether a writer's last try with the database went well.
    pub(crate) fn database(&self, writer: usize, error: Option<String>) {
        self.update(|inner| {
            match error {
                Some(error) => inner.database_errors.insert(writer, error),
                None => inner.database_errors.remove(&writer),
            };
        });
    }

    /// A partition stopped.
    pub(crate) fn stopped(&self, partition: Partition, error: String) {
        self.update(|inner| {
            inner.stopped.insert(partition, error);
        });
    }

    /// A partition goes on, or is someone else's now.
    pub(crate) fn goes_on(&self, partition: Partition) {
        self.update(|inner| {
            inner.stopped.remove(&partition);
        });
    }

    /// A partition holds records and delivers none, for this reason; or does deliver.
    pub(crate) fn silent(&self, partition: Partition, error: Option<String>) {
        self.update(|inner| {
            match error {
                Some(error) => inner.silent.insert(partition, error),
                None => inner.silent.remove(&partition),
            };
        });
    }

    /// How many partitions stopped or are silent.
    #[must_use]
    pub(crate) fn stopped_count(&self) -> i64 {
        let inner = self.0.lock();
        let silent = inner.silent.keys().filter(|partition| !inner.stopped.contains_key(partition)).count();
        i64::try_from(inner.stopped.len() + silent).unwrap_or(i64::MAX)
    }

    fn update(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.0.lock();
        change(&mut inner);
        match (&inner.kafka_error, inner.unassigned.len()) {
            (Some(error), _) => inner.kafka.fails(error.clone()),
            (None, 0) => inner.kafka.holds(),
            (None, count) => {
                inner.kafka.fails(format!("{count} writers have no assignment from the consumer group yet"));
            }
        }
        match inner.database_errors.values().next() {
            Some(error) => inner.database.fails(error.clone()),
            None => inner.database.holds(),
        }
        match (inner.stopped.iter().next(), inner.silent.values().next()) {
            (Some((partition, error)), _) => inner.partitions.fails(format!(
                "{} stopped, the first is {:?} {}: {error}",
                inner.stopped.len(),
                partition.stream,
                partition.number
            )),
            (None, Some(error)) => inner.partitions.fails(error.clone()),
            (None, None) => inner.partitions.holds(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattline_stream::Stream;

    #[test]
    fn ready_means_assigned_connected_and_nothing_stopped() {
        let ready = Ready::default();
        let health = Health::new(&ready, 2);
        assert!(!ready.is_ready());
        health.assigned(0);
        health.database(0, None);
        assert!(!ready.is_ready(), "the second writer isn't there yet");
        health.assigned(1);
        health.database(1, None);
        assert!(ready.is_ready());
        let partition = Partition { stream: Stream::Readings, number: 3 };
        health.stopped(partition, "no table".to_owned());
        assert_eq!(ready.missing(), ["partitions: 1 stopped, the first is Readings 3: no table"]);
        health.silent(partition, Some("nothing comes".to_owned()));
        assert_eq!(health.stopped_count(), 1);
        health.goes_on(partition);
        assert_eq!(ready.missing(), ["partitions: nothing comes"], "to claim it is not to hear of it");
        assert_eq!(health.stopped_count(), 1);
        health.silent(partition, None);
        health.kafka(Some("no answer".to_owned()));
        assert_eq!(ready.missing(), ["kafka: no answer"]);
        health.kafka(None);
        assert!(ready.is_ready());
    }
}
