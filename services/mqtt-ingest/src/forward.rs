//! The receiving side: from the session through the decoder to Kafka, one message after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rumqttc::{Publish, PublishOptions, QoS};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wattline_reading::wire::encode_reading;
use wattline_reading::{Reading, Reason, Timestamp, limits::Refusal};
use wattline_routes::{Decoded, Input, Judge, Memory};
use wattline_service::Backoff;

use crate::acknowledge::Failure;
use crate::letters::Letters;
use crate::metrics::{BrokerMetrics, LeftOutLabel};
use crate::produce::{Deliveries, Producer};
use crate::readiness::Part;
use crate::rebirth::Rebirth;
use crate::session::{Event, Loss, Session};
use crate::watchdog::Watchdog;
use crate::window::{Arrival, Fate, Kept, Shed, Window};

/// How often the window is looked at while waiting for room in it, or for its end.
const LOOK: Duration = Duration::from_millis(50);
/// A broker that has not answered by then is not waited for: all that it can do is to deliver again.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// A connection that ends sooner than this after it was accepted was short-lived.
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// So many short-lived connections in a row look like another client with the same id: not every broker says it.
const SHORT_LIVES_SUSPECT: u32 = 3;

/// The receiving side; outlives connections and producers.
pub(crate) struct Receiver {
    pub(crate) session: Session,
    pub(crate) judge: Arc<Judge>,
    pub(crate) window: Arc<Mutex<Window>>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) metrics: BrokerMetrics,
    pub(crate) mqtt: Part,
    pub(crate) watchdog: Watchdog,
    pub(crate) letters: Letters,
    pub(crate) values: Values,
    pub(crate) memory: Memory,
    pub(crate) rebirth: Rebirth,
    pub(crate) backoff: Backoff,
    pub(crate) taken_over_wait: Duration,
    pub(crate) shutdown: CancellationToken,
    /// Since when a connection stands.
    pub(crate) open: Option<Instant>,
    /// Connections in a row that the peer ended soon after it had accepted them.
    pub(crate) short_lives: u32,
}

/// Why the receiving side has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The service stops, and the connection is closed.
    Stopped,
    /// The producer must be replaced; the connection was dropped.
    ProducerFailed,
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
    /// Takes messages until the service stops or the producer fails. What is still in flight stays in the window.
    pub(crate) async fn run(&mut self, producer: &Producer, failure: &Failure, grace: Duration) -> Ended {
        let shutdown = self.shutdown.clone();
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        // The receiving future may be dropped here in the middle of anything: the connection ends with it.
        let ended = tokio::select! {
            biased;
            () = failure.said.cancelled() => Ended::ProducerFailed,
            () = deadline => Ended::Stopped,
            () = self.receive_and_drain(producer) => Ended::Stopped,
        };
        self.close();
        ended
    }

    /// Without a connection nothing can be acknowledged any more, but Kafka shall still have what was taken.
    async fn receive_and_drain(&mut self, producer: &Producer) {
        self.receive(producer).await;
        while self.window.lock().used().messages > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Until the service stops and everything is said to the broker, or there is nobody to say it to.
    async fn receive(&mut self, producer: &Producer) {
        let shutdown = self.shutdown.clone();
        loop {
            if self.open.is_none() {
                let room = self.wait_for_room();
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = room => {}
                }
            }
            let event = if self.open.is_some() {
                tokio::select! {
                    biased;
                    event = self.session.next() => event,
                    loss = self.watchdog.barks() => Event::Lost(loss),
                }
            } else {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    event = self.session.next() => event,
                }
            };
            match event {
                Event::Message(publish) => {
                    if self.take(&publish, producer) {
                        // The broker's queue is endless: others on this thread get their turn.
                        tokio::task::consume_budget().await;
                        continue;
                    }
                    match self.finish_connection().await {
                        Some(loss) => self.lost(loss).await,
                        None => return,
                    }
                }
                Event::Opened { session_present } => self.opened(session_present),
                Event::Subscribed { canary } => self.subscribed(canary),
                Event::Canary(payload) => self.watchdog.canary_is_back(&payload),
                Event::Lost(loss) => self.lost(loss).await,
                // Asked for in the stop, by the acknowledger; the DISCONNECT follows by itself.
                Event::FarewellAnswered => {}
                Event::Closed => return,
            }
        }
    }

    /// One message. False: the window has no room for it, and it is the broker's to deliver again.
    fn take(&mut self, publish: &Publish, producer: &Producer) -> bool {
        let received_at = Timestamp::now();
        let packet_id = if publish.qos == QoS::AtMostOnce { 0 } else { publish.pkid };
        if self.shutdown.is_cancelled() {
            self.window.lock().shed(packet_id, Shed::Stopping);
            return true;
        }
        let arrival = {
            let mut window = self.window.lock();
            let arrival = recognise(&mut window, publish, packet_id);
            if !window.has_room(1, publish.payload.len()) {
                return refuse(&mut window, packet_id, publish, arrival);
            }
            if arrival == Arrival::Copy {
                window.admit_copy(packet_id, received_at);
                drop(window);
                self.deliveries.wake();
                return true;
            }
            arrival
        };
        let message = Kept {
            topic: publish.topic.clone(),
            payload: publish.payload.clone(),
            retained: publish.retain,
            packet_id,
            received_at,
        };
        let topic = String::from_utf8_lossy(&publish.topic);
        let input = Input {
            topic: &topic,
            payload: &publish.payload,
            retained: publish.retain,
            redelivered: arrival == Arrival::Redelivered,
            received_at,
        };
        let metrics = &self.metrics;
        let decoded = self.judge.decide(&input, &mut self.memory, |omission| {
            metrics.left_out.get_or_create(&LeftOutLabel::from(omission)).inc();
        });
        let taken = match decoded {
            Decoded::Readings(readings) => self.forward(message, &readings, producer),
            Decoded::Reject(refusal) => {
                if refusal.reason == Reason::AliasUnknown {
                    self.ask_for_birth(&topic, received_at);
                }
                self.dead_letter(message, &refusal, producer)
            }
            Decoded::Ignore(why) => {
                self.window.lock().admit(message, Fate::Ignore(why), 0, 0);
                self.deliveries.wake();
                true
            }
        };
        taken || refuse(&mut self.window.lock(), packet_id, publish, arrival)
    }

    /// At QoS 0: if it is lost, the next message without names asks again.
    fn ask_for_birth(&mut self, topic: &str, at: Timestamp) {
        let Some((command, payload)) = self.rebirth.command(topic, Instant::now(), at) else { return };
        let options = PublishOptions::at_most_once();
        match self.session.client().try_publish(command.clone(), payload, options) {
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

    /// False: there is no room for it.
    fn forward(&mut self, message: Kept, readings: &[Reading], producer: &Producer) -> bool {
        self.values.encode(readings);
        let bytes = self.values.bytes.len();
        let sequence = {
            let mut window = self.window.lock();
            if !window.has_room(readings.len(), bytes + message.payload.len()) {
                return false;
            }
            window.admit(message, Fate::Forward, readings.len(), bytes)
        };
        for (reading, value) in readings.iter().zip(self.values.iter()) {
            producer.send_reading(sequence, &reading.meter_id, value);
        }
        true
    }

    /// False: there is no room for it.
    fn dead_letter(&mut self, message: Kept, refusal: &Refusal, producer: &Producer) -> bool {
        let value = self.letters.encode(&message, refusal);
        let topic = message.topic.clone();
        let sequence = {
            let mut window = self.window.lock();
            if !window.has_room(1, value.len() + message.payload.len()) {
                return false;
            }
            window.admit(message, Fate::DeadLetter(refusal.reason), 1, value.len())
        };
        producer.send_dead_letter(sequence, &topic, value);
        true
    }

    /// The window is full and the broker goes on: takes nothing more of this connection, acknowledges what was
    /// taken, and gives the connection up; on the next the broker delivers the rest again. Given up at once, the
    /// acks would be lost with it, and the same messages would come for ever: it is kept until the broker answers what
    /// is asked behind them. None: the service has stopped.
    async fn finish_connection(&mut self) -> Option<Loss> {
        let used = self.window.lock().used();
        let detail = format!(
            "the window is full ({} messages, {} records, {} bytes) and the broker goes on sending: nothing more is \
             taken until all of it is confirmed, then the rest comes again on a new connection",
            used.messages, used.records, used.bytes
        );
        self.mqtt.fails(detail.clone());
        let window = Arc::clone(&self.window);
        let (client, farewell) = (self.session.client(), self.session.farewell());
        let drained = async {
            while window.lock().used().messages > 0 {
                tokio::time::sleep(LOOK).await;
            }
            while client.try_unsubscribe(farewell.as_str()).is_err() {
                tokio::time::sleep(LOOK).await;
            }
            tokio::time::sleep(ANSWER_WAIT_MAX).await;
        };
        tokio::pin!(drained);
        loop {
            let event = tokio::select! {
                () = &mut drained => return Some(Loss { cause: "overrun", detail }),
                event = self.session.next() => event,
            };
            match event {
                Event::Message(publish) => {
                    let packet_id = if publish.qos == QoS::AtMostOnce { 0 } else { publish.pkid };
                    let mut window = self.window.lock();
                    let arrival = recognise(&mut window, &publish, packet_id);
                    refuse(&mut window, packet_id, &publish, arrival);
                }
                Event::FarewellAnswered => return Some(Loss { cause: "overrun", detail }),
                Event::Lost(loss) => return Some(loss),
                Event::Closed => return None,
                Event::Opened { .. } | Event::Subscribed { .. } | Event::Canary(_) => {}
            }
        }
    }

    fn opened(&mut self, session_present: bool) {
        self.window.lock().connection_opened(session_present);
        self.open = Some(Instant::now());
        self.metrics.connections.inc();
        self.mqtt.fails("the subscription is not confirmed yet");
    }

    fn subscribed(&mut self, canary: bool) {
        self.metrics.connected.set(1);
        self.mqtt.holds();
        if canary {
            self.watchdog.wakes();
        } else {
            self.watchdog.is_not_allowed();
        }
    }

    /// The connection is gone, or there was none: says so, and waits before the next.
    async fn lost(&mut self, loss: Loss) {
        let lived = self.open.map(|since| since.elapsed());
        self.close();
        let loss = self.suspect(loss, lived);
        let cause = loss.cause;
        self.metrics.lost(cause);
        self.mqtt.fails(loss.detail.clone());
        let wait = match cause {
            "taken_over" => self.taken_over_wait.mul_f64(rand::random_range(0.75..=1.0)),
            "overrun" | "watchdog" => Duration::ZERO,
            _ => self.backoff.next_wait(),
        };
        let wait_ms = wait.as_millis();
        if loss.needs_somebody() {
            error!(cause, "{}. Tried again in {wait_ms} ms", loss.detail);
            self.session.identify_anew();
        } else {
            warn!(cause, "{}. Tried again in {wait_ms} ms", loss.detail);
        }
        let shutdown = self.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Two processes with one client id throw each other out for ever, and Mosquitto just closes the connection:
    /// several short-lived ones in a row are taken for that. Before that the canaries are given up, if none of them
    /// has ever come back: there are brokers that close the connection to who does what it may not.
    fn suspect(&mut self, loss: Loss, lived: Option<Duration>) -> Loss {
        match lived {
            Some(lived) if lived < SHORT_LIFE && loss.cause == "forbidden" => {
                self.give_canaries_up();
            }
            Some(lived) if lived < SHORT_LIFE && loss.cause == "broken" => self.short_lives += 1,
            Some(lived) if lived < SHORT_LIFE => {}
            Some(_) => {
                self.short_lives = 0;
                self.backoff.reset();
            }
            None => self.short_lives = 0,
        }
        if self.short_lives < SHORT_LIVES_SUSPECT {
            return loss;
        }
        self.short_lives = 0;
        if self.give_canaries_up() {
            return loss;
        }
        self.session.taken_over(&format!(
            "{SHORT_LIVES_SUSPECT} times in a row, right after it was accepted: {}",
            loss.detail
        ))
    }

    /// False: there is no reason to, or it was done before.
    fn give_canaries_up(&mut self) -> bool {
        let given_up = self.watchdog.gives_up();
        if given_up {
            self.session.give_canaries_up();
        }
        given_up
    }

    /// Ends the connection's right to acknowledge, and discards what was queued for it, in one step.
    fn close(&mut self) {
        let mut window = self.window.lock();
        window.connection_lost();
        self.session.discard();
        drop(window);
        self.watchdog.sleeps();
        self.open = None;
        self.metrics.connected.set(0);
    }

    /// Before connecting: the broker delivers again what was not acknowledged, and that needs room.
    async fn wait_for_room(&self) {
        while !self.window.lock().is_half_free() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What is known of a message: at QoS 0 nothing.
fn recognise(window: &mut Window, publish: &Publish, packet_id: u16) -> Arrival {
    match packet_id {
        0 => Arrival::New,
        _ => window.recognise(packet_id, publish.dup, &publish.topic, &publish.payload),
    }
}

/// A message for which the window has no room: QoS 0 is lost and that is all, QoS 1 is the broker's, which must be
/// told so.
fn refuse(window: &mut Window, packet_id: u16, publish: &Publish, arrival: Arrival) -> bool {
    if packet_id == 0 {
        window.shed(0, Shed::Qos0WindowFull);
        return true;
    }
    let new = arrival == Arrival::New;
    window.shed_for_now(packet_id, Shed::Overrun, &publish.topic, &publish.payload, new);
    false
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
