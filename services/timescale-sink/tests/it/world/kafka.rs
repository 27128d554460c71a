//! A test's topics, and what writes into them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use wattline_reading::{DeadLetter, Reading, topics, wire};

use super::{DEADLINE, PARTITIONS};

/// A test's topics.
pub(crate) struct Kafka {
    pub(crate) readings: String,
    pub(crate) dead_letters: String,
    brokers: String,
    producer: BaseProducer,
    consumer: BaseConsumer,
    admin: AdminClient<DefaultClientContext>,
}

/// Writes in transactions.
pub(crate) struct Transactional(BaseProducer);

// === impl Transactional ===

impl Transactional {
    /// One transaction, committed or given up.
    pub(crate) fn send(&self, topic: &str, readings: &[Reading], committed: bool) {
        let Self(producer) = self;
        producer.begin_transaction().unwrap();
        let mut value = Vec::new();
        for reading in readings {
            value.clear();
            wire::encode_reading(reading, &mut value);
            producer.send(BaseRecord::to(topic).key(&reading.meter_id).payload(&value)).unwrap();
        }
        // What is given up shall be in the log all the same.
        producer.flush(DEADLINE).unwrap();
        if committed {
            producer.commit_transaction(DEADLINE).unwrap();
        } else {
            producer.abort_transaction(DEADLINE).unwrap();
        }
    }
}

// === impl Kafka ===

impl Kafka {
    /// Topics that are made here.
    pub(crate) async fn new(brokers: &str, number: u32) -> Self {
        let kafka = Self::of(brokers, &format!("readings-{number}"), &format!("dead-letters-{number}"));
        kafka.create(&kafka.readings, PARTITIONS).await;
        kafka.create(&kafka.dead_letters, 1).await;
        kafka
    }

    /// Topics that are there.
    pub(crate) fn of(brokers: &str, readings: &str, dead_letters: &str) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("partitioner", topics::PARTITIONER)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5");
        Self {
            readings: readings.to_owned(),
            dead_letters: dead_letters.to_owned(),
            brokers: brokers.to_owned(),
            producer: config.create().unwrap(),
            consumer: config.create().unwrap(),
            admin: config.create().unwrap(),
        }
    }

    /// A producer of transactions.
    pub(crate) fn transactional(&self, name: &str) -> Transactional {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("partitioner", topics::PARTITIONER)
            .set("transactional.id", format!("{}-{name}", self.readings))
            .create()
            .unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        Transactional(producer)
    }

    /// Lets Kafka keep the newest record of a key only, in segments as small and as soon as it can.
    pub(crate) async fn compact(&self, topic: &str) {
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.bytes", "1048576"),
            ("segment.ms", "50"),
            ("min.cleanable.dirty.ratio", "0.01"),
        ];
        let entries = settings.into_iter().collect();
        let config = AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries };
        let results = self.admin.alter_configs(&[config], &AdminOptions::new()).await.unwrap();
        results.into_iter().for_each(|result| {
            result.unwrap();
        });
    }

    /// How many records a topic has, read one by one.
    pub(crate) fn count_records(&self, topic: &str) -> i64 {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "count")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let (mut records, mut ended) = (0, 0);
        while ended < PARTITIONS {
            match consumer.poll(DEADLINE) {
                Some(Ok(_)) => records += 1,
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                other => panic!("{other:?}"),
            }
        }
        records
    }

    pub(crate) async fn create(&self, topic: &str, partitions: i32) {
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let results = self.admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
        results.into_iter().for_each(|result| {
            result.unwrap();
        });
    }

    /// Gives a topic more partitions.
    pub(crate) async fn grow(&self, topic: &str, partitions: usize) {
        let grown = [NewPartitions::new(topic, partitions)];
        let results = self.admin.create_partitions(&grown, &AdminOptions::new()).await.unwrap();
        results.into_iter().for_each(|result| {
            result.unwrap();
        });
    }

    pub(crate) async fn delete(&self, topic: &str) {
        let results = self.admin.delete_topics(&[topic], &AdminOptions::new()).await.unwrap();
        results.into_iter().for_each(|result| {
            result.unwrap();
        });
    }

    /// Lets Kafka forget the records below an offset, as retention does.
    pub(crate) async fn delete_below(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        let deleted = self.admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
        for element in deleted.elements() {
            element.error().unwrap();
        }
    }

    /// Writes readings, and waits until Kafka has them.
    pub(crate) fn send<'a>(&self, readings: impl IntoIterator<Item = &'a Reading>) {
        let mut value = Vec::new();
        for reading in readings {
            value.clear();
            wire::encode_reading(reading, &mut value);
            self.send_raw(&self.readings, None, reading.meter_id.as_bytes(), &value);
        }
        self.flush();
    }

    /// Writes dead letters, and waits until Kafka has them.
    pub(crate) fn send_letters(&self, letters: &[DeadLetter]) {
        let mut value = Vec::new();
        for letter in letters {
            value.clear();
            wire::encode_dead_letter(letter, &mut value);
            self.send_raw(&self.dead_letters, None, letter.mqtt_topic.as_bytes(), &value);
        }
        self.flush();
    }

    /// Writes any record; [`Kafka::flush`] waits for it.
    pub(crate) fn send_raw(&self, topic: &str, partition: Option<i32>, key: &[u8], value: &[u8]) {
        loop {
            let mut record = BaseRecord::to(topic).key(key).payload(value);
            record.partition = partition;
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(DEADLINE).unwrap();
    }

    /// The offset behind the last record of each partition.
    pub(crate) fn ends(&self, topic: &str) -> Vec<i64> {
        let metadata = self.consumer.fetch_metadata(Some(topic), DEADLINE).unwrap();
        let partitions = metadata.topics()[0].partitions().len();
        let end = |partition| self.consumer.fetch_watermarks(topic, partition, DEADLINE).unwrap().1;
        (0..i32::try_from(partitions).unwrap()).map(end).collect()
    }

    /// What a group has committed for each partition.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Vec<i64> {
        let mut config = ClientConfig::new();
        let consumer: BaseConsumer =
            config.set("bootstrap.servers", &self.brokers).set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, PARTITIONS - 1);
        let committed = consumer.committed_offsets(list, DEADLINE).unwrap();
        committed.elements().iter().map(|element| element.offset().to_raw().unwrap()).collect()
    }
}
