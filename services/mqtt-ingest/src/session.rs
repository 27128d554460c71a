//! One MQTT 5 session: connects, subscribes, and brings messages; says why a connection was lost.
//!
//! The session is the broker's to keep: clean start is always off, the client id is stable, and the expiry is
//! days, because a shared subscription deals messages to absent members too.

mod loss;
mod options;
mod subscriptions;

use anyhow::Context;
use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnAck, ConnectionError, EventLoop, Incoming, Outgoing, Publish, SubAck,
    SubscribeReasonCode,
};
use tracing::{info, warn};

use crate::config::MqttSettings;

pub use loss::Loss;
pub use options::tls_configuration;
pub use subscriptions::Subscriptions;

/// See the module.
pub struct Session {
    client: AsyncClient,
    eventloop: EventLoop,
    settings: MqttSettings,
    subscriptions: Subscriptions,
    opened_before: bool,
    /// The broker has accepted the connection.
    open: bool,
}

/// What the session brings.
#[derive(Debug)]
pub enum Event {
    /// The broker accepted the connection; the subscription is on its way.
    Opened {
        /// The broker has kept the session, and delivers again what was not acknowledged.
        session_present: bool,
    },
    /// The subscription stands.
    Subscribed {
        /// The broker lets this client have its canaries.
        canary: bool,
    },
    /// A message.
    Message(Publish),
    /// What was published on [`Subscriptions::canary_topic`].
    Canary(Bytes),
    /// The broker has answered the UNSUBSCRIBE of [`Session::farewell`]: it has read all that was sent before.
    FarewellAnswered,
    /// The connection is gone; the next call connects again.
    Lost(Loss),
    /// This side has sent its DISCONNECT: the end.
    Closed,
}

// === impl Session ===

impl Session {
    /// Prepares a session; nothing is connected yet. `acks_max` acks can wait to be sent.
    ///
    /// # Errors
    /// Where a file can't be read or the options contradict each other.
    pub fn new(
        settings: &MqttSettings,
        subscriptions: Subscriptions,
        acks_max: usize,
    ) -> anyhow::Result<Self> {
        let options = options::options(settings)?;
        Self::with_options(settings, subscriptions, acks_max, options)
    }

    /// A session that leaves no trace: another client id, a clean start, and gone with its connection.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn trial(settings: &MqttSettings, subscriptions: Subscriptions) -> anyhow::Result<Self> {
        const REQUESTS_MAX: usize = 16;
        let mut options = options::options(settings)?;
        options.clear_session_store();
        options.set_clean_start(true).set_session_expiry_interval(Some(0));
        Self::with_options(settings, subscriptions, REQUESTS_MAX, options)
    }

    fn with_options(
        settings: &MqttSettings,
        subscriptions: Subscriptions,
        acks_max: usize,
        options: rumqttc::MqttOptions,
    ) -> anyhow::Result<Self> {
        let (client, eventloop) =
            AsyncClient::builder(options).capacity(acks_max).try_build().context("[mqtt]")?;
        let settings = settings.clone();
        Ok(Self { client, eventloop, settings, subscriptions, opened_before: false, open: false })
    }

    /// The client that acks are sent with.
    #[must_use]
    pub fn client(&self) -> AsyncClient {
        self.client.clone()
    }

    /// A filter of this client's own that is never subscribed to: its UNSUBSCRIBE does nothing but to be answered,
    /// behind all that was sent before it.
    #[must_use]
    pub fn farewell(&self) -> String {
        format!("{}/farewell", self.subscriptions.canary_topic())
    }

    /// The next event. Dropped while it runs, it may lose what was being written: only where the connection
    /// is given up anyway.
    pub async fn next(&mut self) -> Event {
        loop {
            match self.eventloop.poll().await {
                Ok(rumqttc::Event::Incoming(Incoming::Publish(publish))) => {
                    if !self.subscriptions.are_own(&publish) {
                        return Event::Message(publish);
                    }
                    if let Some(canary) = self.subscriptions.take_own(&self.client, &publish) {
                        return Event::Canary(canary);
                    }
                }
                Ok(rumqttc::Event::Incoming(Incoming::ConnAck(accepted))) => return self.opened(&accepted),
                Ok(rumqttc::Event::Incoming(Incoming::SubAck(answer))) => return self.subscribed(&answer),
                Ok(rumqttc::Event::Incoming(Incoming::UnsubAck(answer))) => {
                    if !self.subscriptions.ended(&self.client, &answer) {
                        return Event::FarewellAnswered;
                    }
                }
                Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) | Err(ConnectionError::RequestsDone) => {
                    return Event::Closed;
                }
                Ok(_) => {}
                Err(error) => {
                    return Event::Lost(Loss::explain(&error, &self.settings, self.open));
                }
            }
        }
    }

    /// Drops the connection, if there is one, and every request that is queued for it: acks above all.
    pub fn discard(&mut self) {
        self.eventloop.clean();
        self.open = false;
    }

    /// Reads password and certificates again: after a refusal, for they may have been renewed.
    pub fn identify_anew(&mut self) {
        if let Err(error) = options::identify(&mut self.eventloop.options, &self.settings) {
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

    fn opened(&mut self, accepted: &ConnAck) -> Event {
        self.open = true;
        // The local half of the session is known from here on: no need to save it at each packet.
        self.eventloop.options.clear_session_store();
        let session_present = accepted.session_present;
        self.say_opened(accepted);
        self.opened_before = true;
        // Also where the session continues: the configuration may have another filter than the session.
        match self.subscriptions.ask(&self.client, accepted) {
            Ok(()) => Event::Opened { session_present },
            Err(error) => {
                Event::Lost(Loss::new("subscription", format!("cannot ask for the subscription: {error}")))
            }
        }
    }

    fn say_opened(&self, accepted: &ConnAck) {
        let MqttSettings { url, client_id, session_expiry_s, .. } = &self.settings;
        let granted_s =
            accepted.properties.as_ref().and_then(|properties| properties.session_expiry_interval);
        if let Some(granted_s) = granted_s.filter(|granted_s| granted_s < session_expiry_s && *granted_s > 0)
        {
            warn!(
                granted_s,
                "the broker keeps the session for {granted_s} s only, asked were {session_expiry_s} s \
                 (mqtt.session_expiry_s): messages that wait longer than that are lost"
            );
        }
        match (accepted.session_present, self.opened_before) {
            (true, _) => info!("connected to {url} as {client_id}, the session continues"),
            (false, false) => info!("connected to {url} as {client_id}, with a new session"),
            (false, true) => warn!(
                "connected to {url} as {client_id}, but the broker has lost the session: what it held for this \
                 client is gone. Is the broker's persistence on, and its session expiry long enough?"
            ),
        }
    }

    fn subscribed(&mut self, answer: &SubAck) -> Event {
        let refused = |code: &SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
        let wanted = self.subscriptions.wanted();
        let first = wanted.iter().zip(&answer.return_codes).find(|(_, code)| refused(code));
        if let Some((filter, code)) = first {
            return Event::Lost(Loss::subscription(&self.settings, filter, *code));
        }
        // The canaries' own filter is the last.
        let canary = self.subscriptions.has_canaries() && !answer.return_codes.last().is_none_or(refused);
        if self.subscriptions.has_canaries() && !canary {
            self.subscriptions.give_canaries_up();
        }
        Event::Subscribed { canary }
    }
}
