//! Readings of repaired letters to Kafka, and whether Kafka has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;
use tokio::time::Instant;
use wattline_reading::topics::{PARTITIONER, READINGS, RECORD_BYTES_MAX};
use wattline_service::KafkaSettings;
use wattline_service::kafka::{DeliveryError, topic_identity};

/// Kafka confirms a record within this time, or the replay ends.
const CONFIRM_TIMEOUT_MS: u64 = 60_000;
/// librdkafka gives a record up a little after its time.
const GRACE: Duration = Duration::from_secs(15);
const METADATA_TIMEOUT: Duration = Duration::from_secs(15);
const QUEUE_RECORDS_MAX: u32 = 100_000;
const QUEUE_KBYTES_MAX: u32 = 64 * 1024;
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Sends records, and waits for a page's confirmations.
pub(super) struct Producer {
    inner: ThreadedProducer<Confirmations>,
    state: Arc<Shared>,
    brokers: String,
}

/// What librdkafka calls back.
struct Confirmations(Arc<Shared>);

#[derive(Default)]
struct Shared {
    outcome: Mutex<Outcome>,
    wake: Notify,
}

#[derive(Default)]
struct Outcome {
    open: u64,
    /// Letters of which Kafka refused a record for what is in it.
    refused: BTreeMap<usize, RDKafkaErrorCode>,
    /// Why Kafka takes nothing.
    failed: Option<RDKafkaErrorCode>,
}

// === impl Producer ===

impl Producer {
    /// Looks whether the topic is there, too: nothing is marked that went nowhere.
    ///
    /// # Errors
    /// Where settings contradict each other, Kafka can't be reached, or the topic is not there.
    pub(super) fn new(kafka: &KafkaSettings) -> anyhow::Result<Self> {
        let state = Arc::new(Shared::default());
        let mut config = kafka.client_config("wattlinectl-dead-letters")?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", CONFIRM_TIMEOUT_MS.to_string())
            .set("compression.type", "lz4")
            .set("partitioner", PARTITIONER)
            .set("linger.ms", "20")
            .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
            .set("queue.buffering.max.messages", QUEUE_RECORDS_MAX.to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES_MAX.to_string())
            .set_log_level(RDKafkaLogLevel::Emerg);
        let inner = ThreadedProducer::from_config_and_context(&config, Confirmations(Arc::clone(&state)))
            .context("cannot make the Kafka producer")?;
        topic_identity(inner.client(), READINGS.name, METADATA_TIMEOUT)
            .with_context(|| format!("nothing is replayed: Kafka at {} (--brokers)", kafka.brokers))?;
        Ok(Self { inner, state, brokers: kafka.brokers.clone() })
    }

    /// Gives one record of a letter to Kafka; waits while the queue is full.
    ///
    /// # Errors
    /// Where Kafka takes nothing at all.
    pub(super) async fn send(&self, letter: usize, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        self.state.outcome.lock().open += 1;
        let mut record = BaseRecord::with_opaque_to(READINGS.name, letter).key(key).payload(value);
        loop {
            match self.inner.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.fail_early()?;
                    record = back;
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                Err((error, _)) => {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                    self.state.settled(letter, Some(code));
                    return self.fail_early();
                }
            }
        }
    }

    /// Waits until Kafka has confirmed everything that was sent; gives the letters of which it refused a record.
    ///
    /// # Errors
    /// Where it did not.
    pub(super) async fn confirmed(&self) -> anyhow::Result<BTreeMap<usize, RDKafkaErrorCode>> {
        let deadline = Instant::now() + Duration::from_millis(CONFIRM_TIMEOUT_MS) + GRACE;
        loop {
            let woken = self.state.wake.notified();
            self.fail_early()?;
            {
                let mut outcome = self.state.outcome.lock();
                if outcome.open == 0 {
                    return Ok(std::mem::take(&mut outcome.refused));
                }
            }
            if tokio::time::timeout_at(deadline, woken).await.is_err() {
                bail!("{}", self.no_answer("did not answer"));
            }
        }
    }

    fn fail_early(&self) -> anyhow::Result<()> {
        match self.state.outcome.lock().failed {
            Some(RDKafkaErrorCode::MessageTimedOut) => {
                bail!("{}", self.no_answer(&format!("confirmed nothing for {} s", CONFIRM_TIMEOUT_MS / 1000)))
            }
            Some(code) => bail!("{}", self.no_answer(&format!("does not take readings: {code}"))),
            None => Ok(()),
        }
    }

    fn no_answer(&self, what: &str) -> String {
        format!(
            "Kafka at {} {what} (topic {}). The letters of this page stay as they were: repeat the command when Kafka \
             is well; what it may have taken already is stored once",
            self.brokers, READINGS.name
        )
    }
}

// === impl Shared ===

impl Shared {
    fn settled(&self, letter: usize, error: Option<RDKafkaErrorCode>) {
        let mut outcome = self.outcome.lock();
        outcome.open -= 1;
        match error {
            None => {}
            Some(code) if DeliveryError::classify(code) == DeliveryError::Record => {
                outcome.refused.insert(letter, code);
            }
            Some(code) => outcome.failed = outcome.failed.or(Some(code)),
        }
        if outcome.open == 0 || outcome.failed.is_some() {
            self.wake.notify_one();
        }
    }
}

// === impl Confirmations ===

impl ClientContext for Confirmations {
    /// What matters comes with the deliveries.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Confirmations {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, letter: usize) {
        let error = result.as_ref().err();
        let code = error.map(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail));
        self.0.settled(letter, code);
    }
}
