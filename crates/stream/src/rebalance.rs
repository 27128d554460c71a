//! What the consumer group gives and takes, told from within the client's callback.

use std::collections::HashMap;

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::statistics::{Partition as PartitionStatistics, Statistics};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use tracing::{debug, warn};

use crate::id::{Partition, Topics};
use crate::silence::Fetching;

/// Who is told. Called by the client's poll, on the thread that polls: each call must be short.
pub trait Listener: Send + Sync {
    /// These partitions are this member's now. They are paused: nothing comes before the database has said where to begin.
    fn assigned(&self, partitions: Vec<Partition>);
    /// These no longer are; whoever gets them begins when this returns.
    fn revoked(&self, partitions: Vec<Partition>);
    /// Where a partition of the member ends in Kafka, by the client's statistics. None: all that is in it has been given
    /// out. (The end alone doesn't say so: the last offsets may be markers of transactions.)
    fn ends_at(&self, _partition: Partition, _high_offset: Option<i64>) {}
}

/// The client's context: tells a listener, and logs what the client says.
#[derive(Debug)]
pub struct Rebalances<L> {
    topics: Topics,
    listener: L,
    fetching: Mutex<HashMap<Partition, Fetching>>,
}

// === impl Rebalances ===

impl<L: Listener> Rebalances<L> {
    /// For a member that reads these topics.
    #[must_use]
    pub fn new(topics: Topics, listener: L) -> Self {
        Self { topics, listener, fetching: Mutex::default() }
    }

    /// Who is told.
    #[must_use]
    pub const fn listener(&self) -> &L {
        &self.listener
    }

    /// How far the client is with fetching a partition, if it has said so since the member has it.
    #[must_use]
    pub fn fetching(&self, partition: Partition) -> Option<Fetching> {
        self.fetching.lock().get(&partition).copied()
    }

    fn note(&self, partition: Partition, found: &PartitionStatistics) {
        let (high, queued) = (found.hi_offset, found.fetchq_cnt > 0);
        if high >= 0 {
            let all = found.app_offset >= high && !queued;
            self.listener.ends_at(partition, (!all).then_some(high));
        }
        let fetching = Fetching { next: found.next_offset, end: found.ls_offset, queued };
        self.fetching.lock().insert(partition, fetching);
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let partition = |element: TopicPartitionListElem<'_>| {
            let stream = self.topics.stream(element.topic())?;
            Some(Partition { stream, number: element.partition() })
        };
        list.elements().into_iter().filter_map(partition).collect()
    }
}

impl<L: Listener> ConsumerContext for Rebalances<L> {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => {
                let partitions = self.partitions(list);
                self.fetching.lock().retain(|partition, _| !partitions.contains(partition));
                self.listener.revoked(partitions);
            }
            Rebalance::Assign(_) => {}
            Rebalance::Error(error) => warn!("rebalance: {error}"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            // The group's offset is only a hint: nothing is read before the database has said where to begin. Records
            // that come all the same are dropped.
            if let Err(error) = consumer.pause(list) {
                warn!("cannot pause the new partitions: {error}");
            }
            self.listener.assigned(self.partitions(list));
        }
    }
}

impl<L: Listener> ClientContext for Rebalances<L> {
    fn stats(&self, statistics: Statistics) {
        for (topic, of_topic) in &statistics.topics {
            let Some(stream) = self.topics.stream(topic) else { continue };
            for (number, of_partition) in &of_topic.partitions {
                self.note(Partition { stream, number: *number }, of_partition);
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
