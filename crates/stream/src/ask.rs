//! What Kafka says of partitions that are to be taken on. Each is asked about by itself: one without a leader delays
//! nobody else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use wattline_service::TopicIdentity;
use wattline_service::kafka::topic_identity;

use crate::assignment::Assignment;
use crate::id::{Partition, Stream, Topics};

/// How long Kafka may take to describe a topic or a partition.
pub const KAFKA_TIMEOUT: Duration = Duration::from_secs(5);

/// A partition to be taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub partition: Partition,
    /// The assignment under which it will be read.
    pub assignment: Assignment,
    /// Kafka has shown another record where the last one was that was stored: see [`crate::Taken::mark`].
    pub is_another_log: bool,
}

/// What Kafka says of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Which topic of which cluster it really is.
    pub identity: TopicIdentity,
    /// How many partitions the topic has.
    pub partitions: i32,
    /// The oldest record that is still there.
    pub low: i64,
    /// The offset of the next record that will be written.
    pub high: i64,
}

/// What Kafka says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Which one of which cluster it really is.
    pub identity: TopicIdentity,
    /// Its number of partitions.
    pub partitions: i32,
}

/// Claims about which Kafka is being asked.
#[derive(Debug, Default)]
pub struct Asking(JoinSet<(Claim, Result<Present, String>)>);

// === impl Asking ===

impl Asking {
    /// Asks about these, all at once.
    pub fn ask<C: ConsumerContext + 'static>(
        &mut self,
        consumer: &Arc<BaseConsumer<C>>,
        topics: &Topics,
        claims: impl IntoIterator<Item = Claim>,
    ) {
        // The topic's identity must be asked for after the assignment, and is the same for all of them.
        let mut known: HashMap<Stream, Arc<OnceCell<Topic>>> = HashMap::new();
        for claim in claims {
            let known = Arc::clone(known.entry(claim.partition.stream).or_default());
            let topic = topics.of(claim.partition.stream).to_owned();
            let consumer = Arc::clone(consumer);
            self.0.spawn(async move {
                let answer = present(&consumer, &topic, claim.partition.number, &known).await;
                (claim, answer)
            });
        }
    }

    /// True where nobody is being asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next answer; never one while nobody is being asked.
    pub async fn next(&mut self) -> (Claim, Result<Present, String>) {
        loop {
            match self.0.join_next().await {
                Some(Ok(answer)) => return answer,
                // A task that was thrown away: whoever stops the runtime needs no answer.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// An answer that is there already.
    pub fn try_next(&mut self) -> Option<(Claim, Result<Present, String>)> {
        self.0.try_join_next()?.ok()
    }
}

async fn present<C: ConsumerContext + 'static>(
    consumer: &Arc<BaseConsumer<C>>,
    topic: &str,
    number: i32,
    known: &OnceCell<Topic>,
) -> Result<Present, String> {
    let Topic { identity, partitions } =
        known.get_or_try_init(|| self::topic(consumer, topic)).await?.clone();
    let (low, high) = watermarks(consumer, topic, number).await?;
    Ok(Present { identity, partitions, low, high })
}

/// Where a partition's records begin and end now.
///
/// # Errors
/// Where Kafka doesn't say, in words.
pub async fn watermarks<C: ConsumerContext + 'static>(
    consumer: &Arc<BaseConsumer<C>>,
    topic: &str,
    number: i32,
) -> Result<(i64, i64), String> {
    let topic = topic.to_owned();
    blocking(consumer, move |consumer| {
        consumer
            .fetch_watermarks(&topic, number, KAFKA_TIMEOUT)
            .map_err(|error| format!("Kafka does not say what partition {number} of {topic} holds: {error}"))
    })
    .await
}

/// The first record that is not from before this time, if there is one.
///
/// # Errors
/// Where Kafka doesn't say, in words.
pub async fn first_since<C: ConsumerContext + 'static>(
    consumer: &Arc<BaseConsumer<C>>,
    topic: &str,
    number: i32,
    at_ms: i64,
) -> Result<Option<i64>, String> {
    let topic = topic.to_owned();
    blocking(consumer, move |consumer| {
        let explain = |error| {
            format!("Kafka does not say what partition {number} of {topic} has since {at_ms} ms: {error}")
        };
        let mut asked = TopicPartitionList::with_capacity(1);
        asked.add_partition_offset(&topic, number, Offset::Offset(at_ms)).map_err(explain)?;
        let found = consumer.offsets_for_times(asked, KAFKA_TIMEOUT).map_err(explain)?;
        let found = found.elements().into_iter().next();
        found.map_or(Ok(None), |found| {
            found.error().map_err(explain)?;
            Ok(match found.offset() {
                Offset::Offset(first) => Some(first),
                _ => None,
            })
        })
    })
    .await
}

/// Which topic it is, and its number of partitions.
///
/// # Errors
/// Where Kafka doesn't answer or has no such topic, in words.
pub async fn topic<C: ConsumerContext + 'static>(
    consumer: &Arc<BaseConsumer<C>>,
    name: &str,
) -> Result<Topic, String> {
    let name = name.to_owned();
    blocking(consumer, move |consumer| {
        let identity =
            topic_identity(consumer.client(), &name, KAFKA_TIMEOUT).map_err(|error| error.to_string())?;
        let metadata = consumer
            .fetch_metadata(Some(&name), KAFKA_TIMEOUT)
            .map_err(|error| format!("Kafka does not say how many partitions {name} has: {error}"))?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(Topic { identity, partitions: i32::try_from(partitions).unwrap_or(i32::MAX) })
    })
    .await
}

/// The client's calls block: each has a thread of its own.
async fn blocking<C: ConsumerContext + 'static, T: Send + 'static>(
    consumer: &Arc<BaseConsumer<C>>,
    ask: impl FnOnce(&BaseConsumer<C>) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let consumer = Arc::clone(consumer);
    let asked = tokio::task::spawn_blocking(move || ask(&consumer)).await;
    asked.map_err(|error| format!("asking Kafka was interrupted: {error}"))?
}
