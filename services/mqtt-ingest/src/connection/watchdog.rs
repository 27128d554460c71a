//! Finds out that a connection stands and yet brings nothing: a QoS 0 message to itself, now and then, must come back.
//!
//! A message of any meter proves as much, so a canary that the broker drops under load does no harm. A broker that
//! doesn't let this client publish or read the canaries' topic drops them without a word (Mosquitto does): then none
//! ever comes back, which is said once, and the connection is left alone. So the watchdog bites only on a connection
//! that has brought a canary before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::{Interval, MissedTickBehavior};
use tracing::{info, warn};
use wattline_reading::Timestamp;

use super::loss::{Cause, Loss};
use super::outbox::Outbox;
use crate::window::Window;

/// So many canaries in the time after which a silent connection is given up.
const CANARIES: u32 = 3;

/// What the gauge says of a connection without a watchdog: not the 0 of one that is of no use.
const SWITCHED_OFF: i64 = -1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Watchdog {
    outbox: Arc<Outbox>,
    window: Arc<Mutex<Window>>,
    topic: String,
    url: String,
    patience: Duration,
    ticks: Interval,
    /// 1 while the connection has brought a canary, [`SWITCHED_OFF`] where there is no watchdog.
    armed: Gauge,
    watched: Option<Watched>,
    /// Canaries have come back in this process's life.
    ever_armed: bool,
    /// It was said that none comes back.
    said: bool,
    given_up: bool,
}

/// A connection.
#[derive(Debug)]
struct Watched {
    /// What its canaries say: one of an earlier connection proves nothing.
    song: [u8; 16],
    armed: bool,
    alive_at: Instant,
    looked_at: Instant,
    /// Messages received until then.
    received: u64,
}

// === impl Watchdog ===

impl Watchdog {
    /// For the connections that `outbox` writes to; one that is silent for `patience` is given up.
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        window: Arc<Mutex<Window>>,
        topic: &str,
        url: &str,
        patience: Duration,
        armed: Gauge,
    ) -> Self {
        armed.set(if patience.is_zero() { SWITCHED_OFF } else { 0 });
        let mut ticks = tokio::time::interval((patience / CANARIES).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            outbox,
            window,
            topic: topic.to_owned(),
            url: url.to_owned(),
            patience,
            ticks,
            armed,
            watched: None,
            ever_armed: false,
            said: false,
            given_up: patience.is_zero(),
        }
    }

    /// The connection is subscribed.
    pub(crate) fn wakes(&mut self) {
        let now = Instant::now();
        self.watched = Some(Watched {
            song: rand::random(),
            armed: false,
            alive_at: now,
            looked_at: now,
            received: self.received(),
        });
        self.ticks.reset_immediately();
    }

    /// The connection is gone.
    pub(crate) fn sleeps(&mut self) {
        self.watched = None;
        if !self.patience.is_zero() {
            self.armed.set(0);
        }
    }

    /// The broker refuses the subscription.
    pub(crate) fn is_not_allowed(&mut self) {
        if !self.given_up {
            self.say_useless("the broker refuses the subscription to its canaries");
        }
    }

    /// Does without canaries from now on. False where they are known to work, or were given up before.
    pub(crate) fn gives_up(&mut self) -> bool {
        if self.given_up || self.ever_armed {
            return false;
        }
        self.given_up = true;
        self.say_useless("the broker ends the connection, maybe because of them: they are given up");
        true
    }

    /// A canary of any connection of this client.
    pub(crate) fn canary_is_back(&mut self, song: &Bytes) {
        let Some(watched) = self.watched.as_mut().filter(|watched| watched.song.as_slice() == song) else {
            return;
        };
        watched.alive_at = Instant::now();
        if !watched.armed {
            watched.armed = true;
            self.armed.set(1);
            self.ever_armed = true;
            if std::mem::take(&mut self.said) {
                info!("the watchdog's canaries come back from {}: it works now", self.url);
            }
        }
    }

    /// Ends when the connection is to be given up. Dropped before that, it goes on at its next call.
    pub(crate) async fn barks(&mut self) -> Loss {
        loop {
            self.ticks.tick().await;
            if let Some(loss) = self.look() {
                return loss;
            }
        }
    }

    fn look(&mut self) -> Option<Loss> {
        let (received, excused) = (self.received(), self.is_excused());
        let now = Instant::now();
        let interval = self.ticks.period();
        let watched = self.watched.as_mut()?;
        // This process was frozen, or the thread busy with messages: that says nothing of the connection.
        let was_away = now.saturating_duration_since(watched.looked_at) > 2 * interval;
        if was_away || excused || received != watched.received {
            watched.alive_at = now;
        }
        (watched.looked_at, watched.received) = (now, received);
        let silent = now.saturating_duration_since(watched.alive_at);
        if silent >= self.patience {
            if watched.armed {
                let detail = format!(
                    "the connection to the broker at {} stands, but brought nothing for {} ms, not even what the \
                     watchdog sent to itself: it is given up",
                    self.url,
                    silent.as_millis()
                );
                return Some(Loss::new(Cause::Watchdog, detail));
            }
            self.say_useless("not one of its canaries has come back, and nothing else has come");
        }
        self.sing();
        None
    }

    fn sing(&self) {
        let Some(watched) = &self.watched else { return };
        // A full outbox is a reason to wait; the next one comes soon.
        let _ = self.outbox.publish(&self.topic, watched.song.to_vec(), false);
    }

    fn received(&self) -> u64 {
        self.window.lock().account().received.iter().sum()
    }

    /// A full window takes nothing; and what Kafka doesn't confirm is not acknowledged, so the broker may hold back
    /// everything that would come behind it.
    fn is_excused(&self) -> bool {
        let window = self.window.lock();
        let oldest_us = window.oldest().map_or(0, |oldest| Timestamp::now().micros() - oldest.micros());
        let waiting = Duration::from_micros(u64::try_from(oldest_us).unwrap_or_default());
        !window.has_room(1, 1, 0) || waiting > self.ticks.period()
    }

    fn say_useless(&mut self, why: &str) {
        if !std::mem::replace(&mut self.said, true) {
            warn!(
                "the watchdog of the broker at {} is of no use: {why}. Let the user publish and read {}/#, or switch \
                 the watchdog off (mqtt.watchdog_ms = 0)",
                self.url, self.topic
            );
        }
    }
}
