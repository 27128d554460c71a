//! One MQTT 5 session: connects, subscribes, and brings messages; says why a connection was lost.
//!
//! The session is the broker's to keep: clean start is always off, the client id is stable, and the expiry is
//! days, because a shared subscription deals messages to absent members too.

use std::sync::Arc;

use bytes::Bytes;
use rumqttc::{ConnAck, Packet, Publish, QoS};
use tracing::{info, warn};
use wattline_reading::Timestamp;

use super::dial::dial;
use super::loss::Loss;
use super::options::Options;
use super::outbox::Outbox;
use super::subscriptions::{Granted, Subscriptions};
use super::wire::{Broken, Wire, unexpected};
use crate::config::MqttSettings;
use crate::received::Received;

/// See the module.
pub struct Session {
    settings: MqttSettings,
    options: Options,
    outbox: Arc<Outbox>,
    subscriptions: Subscriptions,
    opened_before: bool,
    /// The connection that the broker has accepted.
    wire: Option<Wire>,
}

/// What the session brings.
#[derive(Debug)]
pub enum Event {
    /// The broker accepted the connection; the subscription is on its way.
    Opened {
        /// The broker has kept the session, and delivers again what was not acknowledged.
        session_present: bool,
        /// How long it keeps the session without a connection, in seconds.
        session_expiry_s: u32,
    },
    /// The subscription stands.
    Subscribed {
        /// The broker lets this client have its canaries.
        canary: bool,
    },
    /// A message.
    Message(Received),
    /// What was published on [`Subscriptions::canary_topic`].
    Canary(Bytes),
    /// The broker has answered the UNSUBSCRIBE of [`Session::farewell`]: it has read all that was sent before.
    FarewellAnswered,
    /// The connection is gone; the next call connects again.
    Lost(Loss),
}

// === impl Session ===

impl Session {
    /// Prepares a session; nothing is connected yet. So many acks can wait to be sent.
    ///
    /// # Errors
    /// Where a file can't be read or the options contradict each other.
    pub fn new(
        settings: &MqttSettings,
        subscriptions: Subscriptions,
        acks_max: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self::with_options(settings, subscriptions, acks_max, Options::new(settings)?))
    }

    /// A session that leaves no trace: a clean start, and gone with its connection.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn trial(settings: &MqttSettings, subscriptions: Subscriptions) -> anyhow::Result<Self> {
        Ok(Self::with_options(settings, subscriptions, 0, Options::trial(settings)?))
    }

    fn with_options(
        settings: &MqttSettings,
        subscriptions: Subscriptions,
        acks_max: usize,
        options: Options,
    ) -> Self {
        const ACK_BYTES: usize = 4;
        // All filters of all families, each in a request of its own, are a tenth of it.
        const REQUESTS_BYTES: usize = 64 * 1024;
        let outbox = Arc::new(Outbox::new(acks_max * ACK_BYTES + REQUESTS_BYTES));
        let settings = settings.clone();
        Self { settings, options, outbox, subscriptions, opened_before: false, wire: None }
    }

    /// Where acks and requests go.
    #[must_use]
    pub fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// A filter of this client's own that is never subscribed to: its UNSUBSCRIBE does nothing but to be answered,
    /// behind all that was sent before it.
    #[must_use]
    pub fn farewell(&self) -> String {
        format!("{}/farewell", self.subscriptions.canary_topic())
    }

    /// The next event. Dropped while it runs, nothing is lost of a connection that stands; one that is being made is
    /// given up.
    pub async fn next(&mut self) -> Event {
        loop {
            let Some(wire) = &mut self.wire else { return self.connect().await };
            let packet = match wire.next(&self.outbox).await {
                Ok(packet) => packet,
                Err(broken) => return self.lost(&broken),
            };
            let event = match packet {
                Packet::Publish(publish) => self.published(publish),
                Packet::SubAck(answer) => {
                    match self.subscriptions.granted(&self.outbox, &answer, &self.settings) {
                        Granted::More => None,
                        Granted::All { canary } => Some(Event::Subscribed { canary }),
                        Granted::No(loss) => Some(Event::Lost(loss)),
                    }
                }
                Packet::UnsubAck(answer) => {
                    let ended = self.subscriptions.ended(&self.outbox, &answer);
                    (!ended).then_some(Event::FarewellAnswered)
                }
                Packet::PingResp => None,
                other => Some(self.lost(&unexpected(&other))),
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    /// Writes what is left and takes leave; the broker keeps the session.
    pub async fn close(&mut self) {
        if let Some(wire) = self.wire.take()
            && let Err(error) = wire.close(&self.outbox).await
        {
            info!("the connection ended before its DISCONNECT: {error}");
        }
        self.discard();
    }

    /// Drops the connection, if there is one, and everything that was to be sent on it: acks above all.
    pub fn discard(&mut self) {
        self.outbox.close();
        self.wire = None;
    }

    /// Reads password and certificates again: after a refusal, for they may have been renewed.
    pub fn identify_anew(&mut self) {
        if let Err(error) = self.options.identify(&self.settings) {
            warn!("goes on with the identity that it has: {error:#}");
        }
    }

    /// Goes on without canaries and without the list of subscriptions.
    pub fn give_canaries_up(&mut self) {
        self.subscriptions.give_canaries_up();
    }

    /// The loss to another client with the same id; `sign` is what it is known by.
    #[must_use]
    pub fn taken_over(&self, sign: &str) -> Loss {
        Loss::taken_over(&self.settings, sign)
    }

    async fn connect(&mut self) -> Event {
        match dial(&self.options).await {
            Ok((wire, accepted)) => {
                self.wire = Some(wire);
                self.opened(&accepted)
            }
            Err(broken) => self.lost(&broken),
        }
    }

    fn lost(&self, broken: &Broken) -> Event {
        Event::Lost(Loss::explain(broken, &self.settings, self.wire.is_some()))
    }

    fn published(&mut self, publish: Publish) -> Option<Event> {
        if self.subscriptions.are_own(&publish) {
            return self.subscriptions.take_own(&self.outbox, &publish).map(Event::Canary);
        }
        if publish.qos == QoS::ExactlyOnce {
            return Some(self.lost(&Broken::Unexpected("a message at QoS 2, and QoS 1 was asked")));
        }
        let alias = publish.properties.as_ref().and_then(|properties| properties.topic_alias);
        if alias.is_some() || publish.topic.is_empty() {
            return Some(self.lost(&Broken::Unexpected("a topic alias, and none was allowed")));
        }
        let second_copy = self.subscriptions.is_second_copy(&publish);
        let Publish { topic, payload, retain, dup, pkid, .. } = publish;
        let received_at = Timestamp::now();
        Some(Event::Message(Received {
            topic,
            payload,
            retained: retain,
            duplicate: dup,
            second_copy,
            packet_id: pkid,
            received_at,
        }))
    }

    fn opened(&mut self, accepted: &ConnAck) -> Event {
        let packet_bytes_max = accepted.properties.as_ref().and_then(|properties| properties.max_packet_size);
        self.outbox.open(packet_bytes_max);
        let session_present = accepted.session_present;
        let asked_s = self.options.session_expiry_s();
        // A broker that says nothing does as it was asked.
        let granted_s =
            accepted.properties.as_ref().and_then(|properties| properties.session_expiry_interval);
        let session_expiry_s = granted_s.unwrap_or(asked_s);
        self.say_opened(session_present, session_expiry_s);
        self.opened_before = true;
        // Also where the session continues: the configuration may have another filter than the session.
        match self.subscriptions.ask(&self.outbox, accepted) {
            Ok(()) => Event::Opened { session_present, session_expiry_s },
            Err(error) => Event::Lost(Loss::unasked(&error)),
        }
    }

    fn say_opened(&self, session_present: bool, granted_s: u32) {
        let MqttSettings { url, client_id, .. } = &self.settings;
        let asked_s = self.options.session_expiry_s();
        if granted_s < asked_s {
            warn!(
                granted_s,
                "the broker keeps the session for {granted_s} s only, asked were {asked_s} s \
                 (mqtt.session_expiry_s): messages that wait longer than that are lost"
            );
        }
        match (session_present, self.opened_before) {
            (true, _) => info!("connected to {url} as {client_id}, the session continues"),
            (false, false) => info!("connected to {url} as {client_id}, with a new session"),
            (false, true) => warn!(
                "connected to {url} as {client_id}, but the broker has lost the session: what it held for this \
                 client is gone. Is the broker's persistence on, and its session expiry long enough?"
            ),
        }
    }
}
