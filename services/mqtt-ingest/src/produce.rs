//! Records to Kafka, and what became of each.
//!
//! The delivery callback runs on librdkafka's polling thread and only pushes to [`Deliveries`], which can't be
//! full: it holds at most the records that are in the window.

mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::statistics::Statistics;
use tokio::sync::Notify;
use tracing::{Span, debug, info, info_span, warn};
use wattline_reading::dead_letter::TEXT_BYTES_MAX;
use wattline_reading::topics::{DEAD_LETTERS, PARTITIONER, READINGS, RECORD_BYTES_MAX};
use wattline_service::KafkaSettings;
use wattline_service::traces::InFlight;

use crate::config::ProduceSettings;
use crate::window::WindowSettings;

pub use topics::{check_topics, grown_topic};

/// Which record of which message a delivery is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The message's number in the window.
    pub sequence: u64,
    /// The record is the message's dead letter.
    pub dead_letter: bool,
}

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The record.
    pub tag: Tag,
    /// None: Kafka has it, on all in-sync replicas.
    pub error: Option<RDKafkaErrorCode>,
}

/// From the polling thread to the acknowledger.
#[derive(Debug, Default)]
pub struct Deliveries {
    queue: Mutex<Vec<Delivery>>,
    wake: Notify,
    brokers_lost: AtomicBool,
    traced: InFlight,
}

/// One producer; an error that breaks it makes it useless, and another takes its place.
pub struct Producer {
    inner: Arc<BaseProducer<DeliveryContext>>,
    /// Ends the polling thread.
    dropped: Arc<AtomicBool>,
    deliveries: Arc<Deliveries>,
    revived_at: Mutex<Instant>,
}

/// What librdkafka calls back, on threads of its own.
struct DeliveryContext {
    deliveries: Arc<Deliveries>,
    /// Whose lines it writes.
    span: Span,
}

// === impl Producer ===

impl Producer {
    /// A producer for the readings and the dead letters. Its queue is larger than the window, so it is never full.
    ///
    /// # Errors
    /// Where the settings contradict each other.
    pub fn new(
        kafka: &KafkaSettings,
        produce: &ProduceSettings,
        window: &WindowSettings,
        deliveries: Arc<Deliveries>,
    ) -> anyhow::Result<Self> {
        let config = producer_config(kafka, produce, window)?;
        let context = DeliveryContext { deliveries: Arc::clone(&deliveries), span: Span::current() };
        let inner = BaseProducer::from_config_and_context(&config, context)
            .context("cannot make the Kafka producer")?;
        let (inner, dropped) = (Arc::new(inner), Arc::new(AtomicBool::new(false)));
        let polled = (Arc::clone(&inner), Arc::clone(&dropped));
        std::thread::Builder::new()
            .name("kafka-deliveries".to_owned())
            .spawn(move || poll_until_dropped(&polled.0, &polled.1))
            .context("cannot start the thread of Kafka's deliveries")?;
        Ok(Self { inner, dropped, deliveries, revived_at: Mutex::new(Instant::now()) })
    }

    /// Gives one reading to Kafka.
    pub fn send_reading(&self, sequence: u64, meter_id: &str, value: &[u8]) {
        let tag = Tag { sequence, dead_letter: false };
        self.send(READINGS.name, tag, meter_id.as_bytes(), value);
    }

    /// Gives one dead letter to Kafka; those of one MQTT topic stay in order.
    pub fn send_dead_letter(&self, sequence: u64, mqtt_topic: &[u8], value: &[u8]) {
        let tag = Tag { sequence, dead_letter: true };
        let key = &mqtt_topic[..mqtt_topic.len().min(TEXT_BYTES_MAX)];
        self.send(DEAD_LETTERS.name, tag, key, value);
    }

    /// Brings a client back that has forgotten all brokers. To be called while nothing is confirmed.
    pub fn revive(&self) {
        let mut revived_at = self.revived_at.lock();
        let now = Instant::now();
        if now.saturating_duration_since(*revived_at) >= REVIVE_EVERY {
            *revived_at = now;
            wattline_service::kafka::revive(self.inner.client());
        }
    }

    /// Looks at Kafka's topics through this producer's own connections: no other thread has to be kept for it.
    pub fn look(&self) -> impl Fn() -> KafkaResult<Metadata> + Clone + Send + 'static {
        let inner = Arc::clone(&self.inner);
        // Of all topics: asking for one by name may create it.
        move || inner.client().fetch_metadata(None, METADATA_TIMEOUT)
    }

    /// What librdkafka refuses at once comes back as a delivery, like what Kafka refuses later.
    fn send(&self, topic: &str, tag: Tag, key: &[u8], value: &[u8]) {
        let mut record = BaseRecord::with_opaque_to(topic, tag.to_opaque()).key(key).payload(value);
        let span = || info_span!(parent: None, "message", otel.kind = "producer", topic);
        if let Some(headers) = self.deliveries.traced.begin(tag.sequence, span) {
            record = record.headers(headers);
        }
        if let Err((error, _)) = self.inner.send(record) {
            let error = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.deliveries.push(tag, Some(error));
        }
    }
}

impl Drop for Producer {
    /// Gives up what is queued, at once; the client's end comes with that of the polling thread.
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
        self.inner.purge(PurgeConfig::default().queue().inflight());
    }
}

/// A call returns each delivery as it comes, but ends only with its time, and spins through the last millisecond of it.
/// (The library's own thread calls it each 100 ms: 1,800 system calls a second, 3 % of a core, of an idle process.)
fn poll_until_dropped(producer: &BaseProducer<DeliveryContext>, dropped: &AtomicBool) {
    while !dropped.load(Ordering::Relaxed) {
        producer.poll(POLL);
    }
}

fn producer_config(
    kafka: &KafkaSettings,
    produce: &ProduceSettings,
    window: &WindowSettings,
) -> anyhow::Result<ClientConfig> {
    let mut config = kafka.client_config("wattline-mqtt-ingest")?;
    // A message that was refused becomes one dead letter more, at most once: hence twice the window.
    let queue_records = (2 * window.records_max).min(2_147_483_647).to_string();
    let queue_kbytes = (2 * window.bytes_max / 1024).min(2_147_483_647).to_string();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "0")
        .set("compression.type", "lz4")
        .set("partitioner", PARTITIONER)
        .set("linger.ms", produce.linger_ms.to_string())
        .set("batch.num.messages", produce.batch_records_max.to_string())
        .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
        .set("queue.buffering.max.messages", queue_records)
        .set("queue.buffering.max.kbytes", queue_kbytes)
        // A broker that hangs is left for its successor, or tried anew, after this time.
        .set("socket.timeout.ms", "15000")
        .set("request.timeout.ms", "10000")
        .set("retry.backoff.max.ms", "1000")
        // The topics were there a moment ago: one that is unknown for this long is gone.
        .set("topic.metadata.propagation.max.ms", "10000")
        .set("statistics.interval.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Warning);
    Ok(config)
}

// === impl Tag ===

impl Tag {
    /// librdkafka carries one word for each record.
    fn to_opaque(self) -> usize {
        usize::try_from(self.sequence << 1 | u64::from(self.dead_letter)).unwrap_or(usize::MAX)
    }

    const fn from_opaque(opaque: usize) -> Self {
        Self { sequence: opaque as u64 >> 1, dead_letter: opaque & 1 == 1 }
    }
}

// === impl Deliveries ===

impl Deliveries {
    fn push(&self, tag: Tag, error: Option<RDKafkaErrorCode>) {
        self.traced.end(tag.sequence);
        let mut queue = self.queue.lock();
        let was_empty = queue.is_empty();
        queue.push(Delivery { tag, error });
        drop(queue);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Moves everything that has come into `into`, which must be empty; its memory is used again.
    pub fn take(&self, into: &mut Vec<Delivery>) {
        std::mem::swap(&mut *self.queue.lock(), into);
    }

    /// Waits until something has come, or [`Deliveries::wake`] was called.
    pub async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Wakes the acknowledger although no record was delivered.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// False while no broker can be reached.
    #[must_use]
    pub fn brokers_reachable(&self) -> bool {
        !self.brokers_lost.load(Ordering::Relaxed)
    }
}

// === impl DeliveryContext ===

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let _of_broker = self.span.enter();
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(facility, "librdkafka: {text}");
            }
            _ => debug!(facility, "librdkafka: {text}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let all_down = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if all_down && !self.deliveries.brokers_lost.swap(true, Ordering::Relaxed) {
            self.deliveries.wake();
            let _of_broker = self.span.enter();
            warn!("no Kafka broker can be reached: {reason}. Nothing is acknowledged until one can");
        }
    }

    fn stats(&self, statistics: Statistics) {
        let up = statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        if up && self.deliveries.brokers_lost.swap(false, Ordering::Relaxed) {
            self.deliveries.wake();
            let _of_broker = self.span.enter();
            info!("Kafka can be reached again");
        }
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let error = result
            .as_ref()
            .err()
            .map(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail));
        self.deliveries.push(Tag::from_opaque(opaque), error);
    }
}

/// How long one call for deliveries lasts, and how long a client outlives its producer at most.
const POLL: Duration = Duration::from_secs(2);
/// librdkafka keeps each list of addresses that it is told.
const REVIVE_EVERY: Duration = Duration::from_secs(5);
/// How long one look at Kafka's topics may take.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_survives_the_way_through_librdkafka() {
        for sequence in [0, 1, 77, u64::MAX >> 1] {
            for dead_letter in [false, true] {
                let tag = Tag { sequence, dead_letter };
                assert_eq!(Tag::from_opaque(tag.to_opaque()), tag);
            }
        }
    }

    #[test]
    fn deliveries_are_taken_once() {
        let deliveries = Deliveries::default();
        let tag = Tag { sequence: 1, dead_letter: false };
        deliveries.push(tag, None);
        let mut taken = Vec::new();
        deliveries.take(&mut taken);
        assert_eq!(taken, [Delivery { tag, error: None }]);
        taken.clear();
        deliveries.take(&mut taken);
        assert!(taken.is_empty());
    }
}
