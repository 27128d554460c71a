//! A link's connections, one after the other: what comes in on one, how it is lost, and when the next is tried.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::Link;
use crate::connection::{Cause, Event, Loss};
use crate::produce::Producer;
use crate::receive::Taken;
use crate::window::{Window, wait_until};

/// A broker that has not answered by then is not waited for: all that it can do is to deliver again.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// A connection that ends sooner than this after it was accepted was short-lived.
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// So many short-lived connections in a row look like another client with the same id: not every broker says it.
const SHORT_LIVES_SUSPECT: u32 = 3;

// === impl Link ===

impl Link {
    /// Until the service stops and everything is said to the broker, or there is nobody to say it to.
    pub(super) async fn receive(&mut self, producer: &Producer) {
        let shutdown = self.shutdown.clone();
        loop {
            let event = if self.open_since.is_some() {
                tokio::select! {
                    biased;
                    event = self.session.next() => event,
                    loss = self.watchdog.barks() => Event::Lost(loss),
                }
            } else {
                let connect = async {
                    // The broker delivers again what was not acknowledged, and that needs room.
                    wait_until(&self.window, Window::is_half_free).await;
                    self.session.next().await
                };
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    event = connect => event,
                }
            };
            match event {
                Event::Message(received) => match self.receiver.take(received, producer) {
                    // The broker's queue is endless: others on this thread get their turn.
                    Taken::Admitted => tokio::task::consume_budget().await,
                    Taken::NoRoom => match self.finish_connection().await {
                        Some(loss) => self.lost(loss).await,
                        None => return,
                    },
                },
                Event::Opened { session_present, session_expiry_s } => {
                    self.metrics.session_expiry.set(session_expiry_s.into());
                    self.opened(session_present);
                }
                Event::Subscribed { canary } => self.subscribed(canary),
                Event::Canary(payload) => self.watchdog.canary_is_back(&payload),
                Event::Lost(loss) => self.lost(loss).await,
                // The acknowledger asked for it, as the last thing that this client has to say.
                Event::FarewellAnswered if shutdown.is_cancelled() => return self.session.close().await,
                Event::FarewellAnswered => {}
            }
        }
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
        let overrun = Loss::new(Cause::Overrun, detail);
        let (window, outbox, farewell) =
            (Arc::clone(&self.window), self.session.outbox(), self.session.farewell());
        let drained = async {
            wait_until(&window, Window::is_empty).await;
            while outbox.unsubscribe(vec![farewell.clone()]).is_err() {
                outbox.taken().await;
            }
            tokio::time::sleep(ANSWER_WAIT_MAX).await;
        };
        tokio::pin!(drained);
        loop {
            let event = tokio::select! {
                () = &mut drained => return Some(overrun),
                event = self.session.next() => event,
            };
            match event {
                Event::Message(received) => self.receiver.let_go(&received),
                Event::FarewellAnswered if self.shutdown.is_cancelled() => {
                    self.session.close().await;
                    return None;
                }
                Event::FarewellAnswered => return Some(overrun),
                Event::Lost(loss) => return Some(loss),
                Event::Opened { .. } | Event::Subscribed { .. } | Event::Canary(_) => {}
            }
        }
    }

    fn opened(&mut self, session_present: bool) {
        self.window.lock().connection_opened(session_present);
        self.open_since = Some(Instant::now());
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
        let lived = self.open_since.map(|since| since.elapsed());
        self.close();
        let loss = self.suspect(loss, lived);
        let cause = loss.cause;
        self.metrics.lost(cause);
        self.mqtt.fails(loss.detail.clone());
        let wait = match cause {
            Cause::TakenOver => self.taken_over_wait.mul_f64(rand::random_range(0.75..=1.0)),
            Cause::Overrun | Cause::Watchdog => Duration::ZERO,
            _ => self.backoff.next_wait(),
        };
        let wait_ms = wait.as_millis();
        if loss.needs_somebody() {
            error!(%cause, "{}. Tried again in {wait_ms} ms", loss.detail);
            self.session.identify_anew();
        } else {
            warn!(%cause, "{}. Tried again in {wait_ms} ms", loss.detail);
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
        match (lived, loss.cause) {
            (Some(lived), Cause::Forbidden) if lived < SHORT_LIFE => {
                self.give_canaries_up();
            }
            (Some(lived), Cause::Broken) if lived < SHORT_LIFE => self.short_lives += 1,
            (Some(lived), _) if lived < SHORT_LIFE => {}
            (Some(_), _) => {
                self.short_lives = 0;
                self.backoff.reset();
            }
            (None, _) => self.short_lives = 0,
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
    pub(super) fn close(&mut self) {
        let mut window = self.window.lock();
        window.connection_lost();
        self.session.discard();
        drop(window);
        self.watchdog.sleeps();
        self.open_since = None;
        self.metrics.connected.set(0);
    }
}
