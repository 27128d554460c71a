//! From Kafka's confirmations to PUBACKs, in the order of arrival.
//!
//! The check of the connection and the queuing of the ack happen under the window's lock, and so do the end of a
//! connection and the discarding of what was queued for it: an ack can't slip from one connection to the next.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::error::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wattline_reading::limits::refuse;
use wattline_reading::{Reason, Timestamp, limits::Refusal};
use wattline_service::kafka::DeliveryError;

use crate::connection::{Outbox, Unsent};
use crate::letters::Letters;
use crate::metrics::BrokerMetrics;
use crate::produce::{Deliveries, Delivery, Producer};
use crate::readiness::Part;
use crate::received::Received;
use crate::window::{Settled, Window};

/// How often the oldest message's age is looked at while nothing is delivered: only time tells that.
const STALL_CHECK: Duration = Duration::from_millis(500);

/// Runs beside the receiving side, for as long as one producer lives.
pub(crate) struct Acknowledger {
    pub(crate) window: Arc<Mutex<Window>>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) outbox: Arc<Outbox>,
    /// A filter of this client's own that is never subscribed to.
    pub(crate) farewell: String,
    pub(crate) producer: Arc<Producer>,
    pub(crate) letters: Letters,
    pub(crate) metrics: BrokerMetrics,
    pub(crate) kafka: Arc<Part>,
    pub(crate) stalled_after: Duration,
    /// Cancelled when the service shall stop.
    pub(crate) shutdown: CancellationToken,
    /// Where it says that the producer is of no use any more, and why.
    pub(crate) failure: Arc<Failure>,
}

/// Why a producer must be replaced: said once.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    pub(crate) said: CancellationToken,
    why: Mutex<Option<String>>,
}

// === impl Failure ===

impl Failure {
    /// Ends the producer's time; the first reason stays.
    pub(crate) fn say(&self, why: String) {
        self.why.lock().get_or_insert(why);
        self.said.cancel();
    }

    /// What was said.
    pub(crate) fn why(&self) -> String {
        self.why.lock().clone().unwrap_or_default()
    }
}

// === impl Acknowledger ===

impl Acknowledger {
    /// Runs until the producer has failed, or until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        let mut blocked = false;
        let mut said_goodbye = false;
        while !self.failure.said.is_cancelled() {
            let stopping = self.shutdown.is_cancelled();
            tokio::select! {
                () = self.deliveries.wait() => {}
                () = self.outbox.taken(), if blocked => {}
                () = tokio::time::sleep(STALL_CHECK) => {}
                () = self.shutdown.cancelled(), if !stopping => {}
            }
            self.deliveries.take(&mut batch);
            blocked = self.settle(&mut batch).blocked;
            self.judge_kafka();
            if stopping && !said_goodbye && self.window.lock().is_empty() {
                match self.say_goodbye() {
                    Ok(()) => said_goodbye = true,
                    Err(unsent) => blocked = matches!(unsent, Unsent::Full),
                }
            }
        }
    }

    /// Behind the last ack. The DISCONNECT waits for the answer, which the broker gives only after it has read the acks:
    /// without that, a broker that goes on sending meets a closed socket, gives the connection up with the acks still
    /// unread, and delivers again what Kafka has.
    fn say_goodbye(&self) -> Result<(), Unsent> {
        self.outbox.unsubscribe(vec![self.farewell.clone()]).map(|_| ())
    }

    fn settle(&mut self, batch: &mut Vec<Delivery>) -> Settled {
        let mut refused = Vec::new();
        let mut confirmed = 0;
        let settled = {
            let mut window = self.window.lock();
            for Delivery { tag, error } in batch.drain(..) {
                match error {
                    None => {
                        window.confirm(tag.sequence);
                        confirmed += u64::from(!tag.dead_letter);
                    }
                    Some(code) => {
                        let letter = self.refused(&mut window, tag.sequence, tag.dead_letter, code);
                        refused.extend(letter.map(|message| (tag.sequence, message, code)));
                    }
                }
            }
            // All acks of this round lie side by side in the outbox, and leave together.
            window.settle(|packet_id| self.outbox.acknowledge(packet_id))
        };
        self.metrics.readings_confirmed.inc_by(confirmed);
        self.metrics.acknowledged.inc_by(settled.acknowledged);
        if let Some(oldest) = settled.oldest {
            self.metrics.settle.observe(waited_s(oldest));
        }
        for (sequence, message, code) in refused {
            self.send_letter(sequence, &message, code);
        }
        settled
    }

    /// A record that librdkafka gave up. The message, where it must become a dead letter now.
    fn refused(
        &self,
        window: &mut Window,
        sequence: u64,
        dead_letter: bool,
        code: RDKafkaErrorCode,
    ) -> Option<Received> {
        if !window.holds(sequence) {
            return None;
        }
        match DeliveryError::classify(code) {
            DeliveryError::Record if !dead_letter => {
                window.refuse(sequence, |message| message.topic.len() + message.payload.len())
            }
            DeliveryError::Record => {
                self.failure.say(format!(
                    "Kafka refuses a dead letter ({code:?}): is the dead-letter topic as `wattlinectl topics` \
                     makes it?"
                ));
                None
            }
            DeliveryError::Configuration => {
                self.failure.say(advice(code));
                None
            }
        }
    }

    fn send_letter(&mut self, sequence: u64, message: &Received, code: RDKafkaErrorCode) {
        warn!(
            topic = %String::from_utf8_lossy(&message.topic),
            "Kafka refuses a record of a message on {}: {code:?}. The message goes to the dead letters",
            String::from_utf8_lossy(&message.topic)
        );
        let refusal: Refusal =
            refuse(Reason::KafkaRefused, format!("Kafka refuses a record of it: {code:?}"));
        let value = self.letters.encode(message, &refusal);
        self.producer.send_dead_letter(sequence, &message.topic, value);
    }

    fn judge_kafka(&self) {
        let oldest = self.window.lock().oldest();
        let waiting_s = oldest.map_or(0.0, waited_s);
        if waiting_s > self.stalled_after.as_secs_f64() {
            self.producer.revive();
        }
        if !self.deliveries.brokers_reachable() {
            self.kafka.fails("no broker can be reached");
        } else if waiting_s > self.stalled_after.as_secs_f64() {
            self.kafka.fails(format!("nothing was confirmed for {waiting_s:.0} s"));
        } else {
            self.kafka.holds();
        }
    }
}

fn advice(code: RDKafkaErrorCode) -> String {
    let cure = match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::Authentication
        | RDKafkaErrorCode::SaslAuthenticationFailed => {
            "the user may not write: grant it WRITE on both topics and IDEMPOTENT_WRITE on the cluster"
        }
        RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownPartition => "a topic is gone: create it with `wattlinectl topics`",
        RDKafkaErrorCode::MessageSizeTooLarge => {
            "max.message.bytes of a topic is smaller than it was: `wattlinectl topics` says what it must be"
        }
        RDKafkaErrorCode::InvalidTimestamp => {
            "the clock of this host and Kafka's are far apart, and the topic has the producer's time: set the clock, and \
             `wattlinectl topics` makes it the broker's time"
        }
        RDKafkaErrorCode::Fatal => "the producer can't go on, a new one takes its place",
        _ => "retrying does not cure it",
    };
    format!("Kafka takes no records ({code:?}): {cure}")
}

fn waited_s(since: Timestamp) -> f64 {
    Timestamp::now().seconds_since(since).max(0.0)
}
