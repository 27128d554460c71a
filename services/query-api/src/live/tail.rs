//! The tail: one consumer per process, all partitions assigned by hand, no group, decoded once into the ring.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::util::Timeout;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use tracing::{info, info_span, warn};
use wattline_reading::{Timestamp, partition, topics, wire};
use wattline_service::traces::ChosenMessage;
use wattline_service::{Backoff, Condition, KafkaSettings, kafka};

use super::{Live, cursor};

/// Reads the readings topic into [`Live`].
#[derive(Debug)]
pub struct Tail {
    live: Arc<Live>,
    kafka: KafkaSettings,
    caught_up: Condition,
}

const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often Kafka is asked where its partitions end.
const PROBE_EVERY: Duration = Duration::from_secs(3);
/// The same, until the tail has caught up.
const PROBE_AT_START: Duration = Duration::from_millis(100);
/// Fewer unread records than this are what comes in meanwhile.
const CAUGHT_UP_LAG: i64 = 500;
/// More unread records than this mean that the tail doesn't keep up.
const LAG_MAX: i64 = 20_000;
/// How many offsets before its time the ring begins. The last ones of a quiet partition may have no record (markers of
/// transactions, what was given up in them): the sink's offset and clients' cursors stay before those, and would seem to
/// lie before the ring. As many as four fetches of a MirrorMaker.
const BEGIN_BACK_OFFSETS: i64 = 2000;

// === impl Tail ===

impl Tail {
    /// A tail that holds `caught_up` from its first arrival at the end of all partitions on.
    #[must_use]
    pub const fn new(live: Arc<Live>, kafka: KafkaSettings, caught_up: Condition) -> Self {
        Self { live, kafka, caught_up }
    }

    /// Reads until `shutdown`. When Kafka is away, or changes under it, it tries again for ever.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::default();
        while !shutdown.is_cancelled() {
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.attach_and_read(&mut backoff) => outcome,
            };
            self.live.up_to_date.store(false, Ordering::Relaxed);
            self.live.metrics.tail_restarts.inc();
            if let Err(error) = outcome {
                warn!(error = format!("{error:#}"), "the live tail begins anew: {error:#}");
                if self.live.identity() == 0 {
                    self.caught_up.fails(format!("{error:#}"));
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = backoff.wait() => {}
            }
        }
    }

    async fn attach_and_read(&self, backoff: &mut Backoff) -> anyhow::Result<()> {
        let consumer = self.attach().await?;
        backoff.reset();
        tokio::select! {
            result = self.read(&consumer) => result,
            result = self.probe(&consumer) => result,
        }
    }

    /// A new consumer: where the ring ends if the topic is still the same, else some minutes back.
    async fn attach(&self) -> anyhow::Result<Arc<StreamConsumer>> {
        let mut config = self.kafka.client_config("wattline-query-api")?;
        let consumer: StreamConsumer = config
            // The library wants a name here; nothing is ever subscribed, joined or committed under it.
            .set("group.id", "wattline-query-api-tail")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            // A broker answers each fetch anew for every batch that producers append, unless it may wait for more.
            .set("fetch.min.bytes", (64 * 1024).to_string())
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", "1048576")
            .set_log_level(RDKafkaLogLevel::Warning)
            .create()
            .context("cannot make the Kafka consumer")?;
        let consumer = Arc::new(consumer);
        let (live, asked) = (Arc::clone(&self.live), Arc::clone(&consumer));
        let offsets = tokio::task::spawn_blocking(move || begin(&live, &asked))
            .await
            .context("the task that asks Kafka for offsets has failed")??;
        let mut list = TopicPartitionList::new();
        for (partition, &offset) in (0..).zip(&offsets) {
            list.add_partition_offset(topics::READINGS.name, partition, Offset::Offset(offset))?;
        }
        consumer.assign(&list).context("cannot assign the partitions")?;
        info!(
            partitions = offsets.len(),
            "the live tail reads {} of {}",
            topics::READINGS.name,
            self.kafka.brokers
        );
        Ok(consumer)
    }

    async fn read(&self, consumer: &StreamConsumer) -> anyhow::Result<()> {
        loop {
            match consumer.recv().await {
                Ok(message) => self.take(&message),
                Err(error) => judge(&error)?,
            }
        }
    }

    /// A record of a chosen message has a span of its own: from here it goes to all streams at once.
    fn take(&self, message: &BorrowedMessage<'_>) {
        let Some(chosen) = ChosenMessage::of(message) else { return self.push(message) };
        let (partition, offset) = (message.partition(), message.offset());
        let span = info_span!(parent: None, "tail", partition, offset);
        chosen.attach(&span);
        span.in_scope(|| self.push(message));
    }

    fn push(&self, message: &BorrowedMessage<'_>) {
        let metrics = &self.live.metrics;
        metrics.tail_records.inc();
        let decoded = message.payload().and_then(|value| wire::decode_reading(message.key(), value).ok());
        match &decoded {
            Some(reading) => {
                metrics.tail_delay.set(Timestamp::now().seconds_since(reading.received_at));
            }
            None => {
                metrics.tail_undecodable.inc();
            }
        }
        self.check_place(message);
        self.live.ring.push(message.partition(), message.offset(), decoded);
    }

    /// Streams join table and tail by the partition that the key decides: a producer that places keys in another
    /// way would make holes, so it must be seen.
    fn check_place(&self, message: &BorrowedMessage<'_>) {
        let Some(key) = message.key() else { return };
        let place = partition::of_key(key, topics::READINGS.partitions);
        if place != message.partition() && self.live.metrics.tail_misplaced.inc() == 0 {
            warn!(
                partition = message.partition(),
                offset = message.offset(),
                "a producer does not place keys by {}: live streams of its meters may miss readings; set its partitioner",
                topics::PARTITIONER
            );
        }
    }

    /// Watches how far Kafka is ahead: a consumer whose brokers are away just says nothing. Ends when the topic is
    /// no longer the one that the ring holds.
    async fn probe(&self, consumer: &Arc<StreamConsumer>) -> anyhow::Result<()> {
        let live = &self.live;
        let mut caught_up = false;
        loop {
            let (asked, next) = (Arc::clone(consumer), live.ring.next_offsets());
            let lag = tokio::task::spawn_blocking(move || lag(&asked, &next)).await;
            let lag = match lag.context("the task that asks Kafka for its ends has failed")? {
                Some((identity, _)) if identity != live.identity() => {
                    bail!("the topic {} was deleted and made anew", topics::READINGS.name)
                }
                lag => lag.map(|(_, records)| records),
            };
            if !caught_up && lag.is_some_and(|lag| lag < CAUGHT_UP_LAG) {
                caught_up = true;
                self.caught_up.holds();
                info!("the live tail has caught up");
            }
            let up_to_date = caught_up && lag.is_some_and(|lag| lag < LAG_MAX);
            live.up_to_date.store(up_to_date, Ordering::Relaxed);
            live.metrics.tail_lag.set(lag.unwrap_or(-1));
            let fill = live.ring.fill();
            live.metrics.ring_readings.set(gauge(fill.readings));
            live.metrics.ring_bytes.set(gauge(fill.bytes));
            tokio::time::sleep(if caught_up { PROBE_EVERY } else { PROBE_AT_START }).await;
        }
    }
}

/// Which errors of a consumer end it: those that the library doesn't get over by itself.
fn judge(error: &KafkaError) -> anyhow::Result<()> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::OffsetOutOfRange
            | Code::AutoOffsetReset
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::UnknownTopic
            | Code::TopicAuthorizationFailed
            | Code::Fatal,
        ) => bail!("Kafka: {error}"),
        _ => warn!(%error, "the live tail waits for Kafka: {error}"),
    }
    Ok(())
}

/// Decides where to begin, and prepares the ring for it. Blocks.
fn begin(live: &Live, consumer: &StreamConsumer) -> anyhow::Result<Vec<i64>> {
    let topic = topics::READINGS.name;
    let identity = kafka::topic_identity(consumer.client(), topic, CALL_TIMEOUT)?;
    let identity = cursor::identity_hash(&identity).max(1);
    let metadata = consumer
        .fetch_metadata(Some(topic), CALL_TIMEOUT)
        .context("Kafka does not answer: is it running, and is kafka.brokers right?")?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    if i32::try_from(partitions) != Ok(topics::READINGS.partitions) {
        bail!(
            "the topic {topic} has {partitions} partitions in place of {}: keys lie elsewhere than expected; \
             create it with `wattlinectl topics`",
            topics::READINGS.partitions
        );
    }
    let known = live.ring.next_offsets();
    if live.identity() == identity && known.len() == partitions {
        let mut inside = true;
        for (partition, &offset) in (0..).zip(&known) {
            let (low, high) = consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT)?;
            inside &= (low..=high).contains(&offset);
        }
        if inside {
            return Ok(known);
        }
    }
    let back_ms = i64::try_from(live.settings.begin_back_ms).unwrap_or(i64::MAX);
    let from_ms = (Timestamp::now().micros() / 1000).saturating_sub(back_ms);
    let mut list = TopicPartitionList::new();
    for partition in 0..topics::READINGS.partitions {
        list.add_partition_offset(topic, partition, Offset::Offset(from_ms.max(0)))?;
    }
    let found = consumer
        .offsets_for_times(list, Timeout::After(CALL_TIMEOUT))
        .context("Kafka does not say which offsets lie some minutes back")?;
    let mut offsets = Vec::with_capacity(partitions);
    for partition in 0..topics::READINGS.partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT)?;
        let at = offset_of(&found, partition).unwrap_or(high);
        offsets.push((at - BEGIN_BACK_OFFSETS).max(low));
    }
    live.identity.store(identity, Ordering::Release);
    live.ring.begin(&offsets);
    Ok(offsets)
}

/// Which topic this is, and how many of its records are not read yet; `None` where Kafka does not answer. Blocks.
fn lag(consumer: &StreamConsumer, next: &[i64]) -> Option<(u64, i64)> {
    let topic = topics::READINGS.name;
    let identity = match kafka::topic_identity(consumer.client(), topic, CALL_TIMEOUT) {
        Ok(identity) => cursor::identity_hash(&identity).max(1),
        Err(kafka::IdentityError::NoTopic(_)) => 0,
        Err(_) => return None,
    };
    // It passes over offsets without a record in silence: behind the last record, nothing else tells of them.
    let passed = consumer.position().ok()?;
    let records = (0..).zip(next).try_fold(0, |lag, (partition, &next)| {
        let (_, high) = consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT).ok()?;
        let next = offset_of(&passed, partition).map_or(next, |passed| next.max(passed));
        Some(lag + (high - next).max(0))
    })?;
    Some((identity, records))
}

/// An offset in a list of partitions of the readings topic; `None` where it is not one.
fn offset_of(list: &TopicPartitionList, partition: i32) -> Option<i64> {
    match list.find_partition(topics::READINGS.name, partition)?.offset() {
        Offset::Offset(offset) if offset >= 0 => Some(offset),
        _ => None,
    }
}

fn gauge(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
