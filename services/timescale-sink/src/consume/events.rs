//! What the consumer group gives and takes, noted from within the client's callback for the consumer's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rdkafka::consumer::BaseConsumer;
use wattline_stream::{Assignments, Listener, Partition, Rebalances};

use crate::metrics::Metrics;

/// A consumer that notes what the group gives and takes.
pub(crate) type KafkaConsumer = BaseConsumer<Rebalances<Events>>;

/// What the group did.
#[derive(Debug)]
pub(crate) enum Event {
    /// These partitions are this member's now. They are paused.
    Assigned(Vec<Partition>),
    /// These no longer are.
    Revoked(Vec<Partition>),
}

/// Notes what the group does.
#[derive(Debug)]
pub(crate) struct Events {
    assignments: Arc<Assignments>,
    metrics: Metrics,
    noted: Mutex<Vec<Event>>,
    has_some: AtomicBool,
}

// === impl Events ===

impl Events {
    /// Of one member.
    #[must_use]
    pub(crate) fn new(assignments: Arc<Assignments>, metrics: Metrics) -> Self {
        Self { assignments, metrics, noted: Mutex::default(), has_some: AtomicBool::new(false) }
    }

    /// True where something waits to be taken.
    #[must_use]
    pub(crate) fn has_some(&self) -> bool {
        self.has_some.load(Ordering::Relaxed)
    }

    /// Takes what was noted, in its order.
    pub(crate) fn take(&self) -> Vec<Event> {
        if !self.has_some() {
            return Vec::new();
        }
        let mut noted = self.noted.lock();
        self.has_some.store(false, Ordering::Relaxed);
        std::mem::take(&mut noted)
    }

    fn note(&self, event: Event) {
        let mut noted = self.noted.lock();
        noted.push(event);
        self.has_some.store(true, Ordering::Relaxed);
    }
}

impl Listener for Events {
    fn assigned(&self, partitions: Vec<Partition>) {
        self.note(Event::Assigned(partitions));
    }

    fn revoked(&self, partitions: Vec<Partition>) {
        // At once: a writer that waits for the database must not try again with these.
        for partition in &partitions {
            self.assignments.release(*partition);
        }
        self.note(Event::Revoked(partitions));
    }

    fn ends_at(&self, partition: Partition, high_offset: Option<i64>) {
        if self.assignments.has(partition) {
            self.metrics.ends_at(partition, high_offset);
        }
    }
}
