//! One message after the other, from the broker's connection to Kafka's producer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wattline_formats::Ignored;
use wattline_reading::wire::encode_reading;
use wattline_reading::{Reading, Reason, Timestamp, limits::Refusal};
use wattline_routes::{Decoded, Input, Judge, Memory};

use crate::connection::{Outbox, Rebirth};
use crate::letters::{Letters, Quota};
use crate::metrics::{BrokerMetrics, LeftOutLabel};
use crate::produce::{Deliveries, Producer};
use crate::received::Received;
use crate::window::{Arrival, Fate, Shed, Window};

/// Takes messages in; outlives connections and producers.
pub(crate) struct Receiver {
    /// Shared with the acknowledger, which takes out what this takes in.
    pub(crate) window: Arc<Mutex<Window>>,
    /// Woken for what has no record to wait for.
    pub(crate) deliveries: Arc<Deliveries>,
    /// Where commands to meters go.
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) judge: Arc<Judge>,
    pub(crate) letters: Letters,
    /// What is left for them.
    pub(crate) quota: Arc<Mutex<Quota>>,
    /// What families with memory know of earlier messages.
    pub(crate) memory: Memory,
    pub(crate) rebirth: Rebirth,
    pub(crate) values: Values,
    pub(crate) metrics: BrokerMetrics,
    /// Cancelled when the service stops: nothing is taken any more.
    pub(crate) shutdown: CancellationToken,
}

/// What became of a message that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Taken {
    /// It is in the window, or let go for good.
    Admitted,
    /// The window has no room for it: it is the broker's to deliver again, and so is everything behind it.
    NoRoom,
}

/// The encoded values of one message's readings; its memory is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

// === impl Receiver ===

impl Receiver {
    /// One message.
    pub(crate) fn take(&mut self, received: Received, producer: &Producer) -> Taken {
        if self.shutdown.is_cancelled() {
            self.window.lock().shed(received.packet_id, Shed::Stopping);
            return Taken::Admitted;
        }
        let arrival = {
            let mut window = self.window.lock();
            let arrival = window.recognise(&received);
            if !window.has_room(received.packet_id, 1, received.payload.len()) {
                return let_go(&mut window, &received, arrival);
            }
            if arrival == Arrival::Copy {
                window.admit_copy(&received);
                drop(window);
                self.deliveries.wake();
                return Taken::Admitted;
            }
            arrival
        };
        let received = match arrival {
            Arrival::Again { at, redelivered } => {
                Received { received_at: at, duplicate: redelivered, ..received }
            }
            _ => Received { duplicate: arrival == Arrival::Redelivered, ..received },
        };
        self.decode(received, arrival, producer)
    }

    /// A message of a connection on which nothing is taken any more.
    pub(crate) fn let_go(&self, received: &Received) {
        let mut window = self.window.lock();
        let arrival = window.recognise(received);
        let _ = let_go(&mut window, received, arrival);
    }

    fn decode(&mut self, received: Received, arrival: Arrival, producer: &Producer) -> Taken {
        if received.second_copy {
            return self.ignore(received, Ignored::SecondCopy);
        }
        let topic = text(&received.topic);
        let input = Input {
            topic: &topic,
            payload: &received.payload,
            retained: received.retained,
            redelivered: received.duplicate,
            received_at: received.received_at,
        };
        let metrics = &self.metrics;
        let decoded = self.judge.decide(&input, &mut self.memory, |omission| {
            metrics.left_out.get_or_create(&LeftOutLabel::from(omission)).inc();
        });
        match decoded {
            Decoded::Readings(readings) => self.forward(received, arrival, &readings, producer),
            Decoded::Reject(refusal) => {
                if refusal.reason == Reason::AliasUnknown {
                    let topic = text(&received.topic);
                    self.ask_for_birth(&topic, received.received_at);
                }
                self.dead_letter(received, arrival, &refusal, producer)
            }
            Decoded::Ignore(why) => self.ignore(received, why),
        }
    }

    fn ignore(&self, received: Received, why: Ignored) -> Taken {
        self.settle(received, Fate::Ignore(why))
    }

    /// Takes a message in of which nothing is kept.
    fn settle(&self, received: Received, fate: Fate) -> Taken {
        self.window.lock().admit(received, fate, 0, 0);
        self.deliveries.wake();
        Taken::Admitted
    }

    fn forward(
        &mut self,
        received: Received,
        arrival: Arrival,
        readings: &[Reading],
        producer: &Producer,
    ) -> Taken {
        self.values.encode(readings);
        let bytes = self.values.bytes.len();
        let sequence = {
            let mut window = self.window.lock();
            if !window.has_room(received.packet_id, readings.len(), bytes + received.payload.len()) {
                return let_go(&mut window, &received, arrival);
            }
            window.admit(received, Fate::Forward, readings.len(), bytes)
        };
        for (reading, value) in readings.iter().zip(self.values.iter()) {
            producer.send_reading(sequence, &reading.meter_id, value);
        }
        Taken::Admitted
    }

    fn dead_letter(
        &mut self,
        received: Received,
        arrival: Arrival,
        refusal: &Refusal,
        producer: &Producer,
    ) -> Taken {
        if !self.quota.lock().grant(&text(&received.topic), received.payload.len(), Instant::now()) {
            return self.settle(received, Fate::OverQuota);
        }
        let value = self.letters.encode(&received, refusal);
        let topic = received.topic.clone();
        let sequence = {
            let mut window = self.window.lock();
            if !window.has_room(received.packet_id, 1, value.len() + received.payload.len()) {
                return let_go(&mut window, &received, arrival);
            }
            window.admit(received, Fate::DeadLetter(refusal.reason), 1, value.len())
        };
        producer.send_dead_letter(sequence, &topic, value);
        Taken::Admitted
    }

    /// At QoS 0: if it is lost, the next message without names asks again.
    fn ask_for_birth(&mut self, topic: &str, at: Timestamp) {
        let Some((command, payload)) = self.rebirth.command(topic, Instant::now(), at) else { return };
        match self.outbox.publish(&command, payload, false) {
            Ok(()) => {
                self.metrics.rebirths_asked.inc();
                info!(
                    "an alias on {topic} has no name: the node is asked for its BIRTH on {command}. If none comes, may \
                     this user publish there?"
                );
            }
            Err(error) => warn!("cannot ask for a BIRTH on {command}: {error}"),
        }
    }
}

/// A topic as text. (The codec refuses what is not UTF-8; a check costs less than a search for what to replace.)
fn text(topic: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(topic).map_or_else(|_| String::from_utf8_lossy(topic), Cow::Borrowed)
}

/// A message for which the window has no room: QoS 0 is lost and that is all, QoS 1 is the broker's, which must be
/// told so.
fn let_go(window: &mut Window, received: &Received, arrival: Arrival) -> Taken {
    if received.packet_id == 0 {
        window.shed(0, Shed::Qos0WindowFull);
        return Taken::Admitted;
    }
    window.shed_for_now(received, Shed::Overrun, arrival == Arrival::New);
    Taken::NoRoom
}

// === impl Values ===

impl Values {
    fn encode(&mut self, readings: &[Reading]) {
        self.bytes.clear();
        self.ends.clear();
        for reading in readings {
            encode_reading(reading, &mut self.bytes);
            self.ends.push(self.bytes.len());
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_message_are_told_apart() {
        let reading = |power_w| {
            Reading::new(
                "m",
                Timestamp::from_micros(1_795_168_800_000_000),
                wattline_reading::Measures {
                    power_w: Some(power_w),
                    ..wattline_reading::Measures::default()
                },
            )
        };
        let readings = [reading(1.0), reading(2.0)];
        let mut values = Values::default();
        values.encode(&readings);
        values.encode(&readings);
        let decoded: Vec<_> = values
            .iter()
            .map(|value| wattline_reading::wire::decode_reading(Some(b"m"), value).unwrap())
            .collect();
        assert_eq!(decoded, readings);
    }
}
