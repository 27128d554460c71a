//! What the consumer group gives and takes, noted from within the client's callback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use tracing::{debug, warn};

use crate::batch::Partition;
use crate::metrics::Metrics;
use crate::offsets::TopicNames;
use crate::ownership::Ownership;

/// What the group did.
#[derive(Debug)]
pub enum Event {
    /// These partitions are this member's now. They are paused.
    Assigned(Vec<Partition>),
    /// These no longer are.
    Revoked(Vec<Partition>),
}

/// Notes rebalances.
#[derive(Debug)]
pub struct Rebalances {
    names: TopicNames,
    ownership: Arc<Ownership>,
    metrics: Metrics,
    events: Mutex<Vec<Event>>,
    has_events: AtomicBool,
}

// === impl Rebalances ===

impl Rebalances {
    /// For one member.
    #[must_use]
    pub fn new(names: TopicNames, ownership: Arc<Ownership>, metrics: Metrics) -> Self {
        Self { names, ownership, metrics, events: Mutex::new(Vec::new()), has_events: AtomicBool::new(false) }
    }

    /// True where something waits to be taken.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.has_events.load(Ordering::Relaxed)
    }

    /// Takes what was noted, in its order.
    pub fn events(&self) -> Vec<Event> {
        if !self.has_events() {
            return Vec::new();
        }
        let mut events = self.events.lock();
        self.has_events.store(false, Ordering::Relaxed);
        std::mem::take(&mut events)
    }

    fn note(&self, event: Event) {
        let mut events = self.events.lock();
        events.push(event);
        self.has_events.store(true, Ordering::Relaxed);
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let partition = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let stream = self.names.stream(element.topic())?;
            Some(Partition { stream, number: element.partition() })
        };
        list.elements().into_iter().filter_map(partition).collect()
    }
}

impl ConsumerContext for Rebalances {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => {
                let partitions = self.partitions(list);
                // At once: a writer that waits for the database must not try again with these.
                for partition in &partitions {
                    self.ownership.release(*partition);
                }
                self.note(Event::Revoked(partitions));
            }
            Rebalance::Assign(_) => {}
            Rebalance::Error(error) => warn!("rebalance: {error}"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            // The group's offset is only a hint: nothing is read before the database has said where to begin.
            if let Err(error) = consumer.pause(list) {
                warn!("cannot pause the new partitions: {error}");
            }
            self.note(Event::Assigned(self.partitions(list)));
        }
    }
}

impl ClientContext for Rebalances {
    fn stats(&self, statistics: Statistics) {
        for (topic, of_topic) in &statistics.topics {
            let Some(stream) = self.names.stream(topic) else { continue };
            let held = self.ownership.partitions();
            for (number, of_partition) in &of_topic.partitions {
                let partition = Partition { stream, number: *number };
                if held.contains(&partition) && of_partition.hi_offset >= 0 {
                    self.metrics.high_offset(partition, of_partition.hi_offset);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn!("Kafka: {error}: {reason}");
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                debug!("Kafka: {facility}: {message}");
            }
            _ => warn!("Kafka: {facility}: {message}"),
        }
    }
}
