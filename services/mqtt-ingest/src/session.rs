//! One MQTT 5 session: connects, subscribes, and brings messages; says why a connection was lost.
//!
//! The session is the broker's to keep: clean start is always off, the client id is stable, and the expiry is
//! days, because a shared subscription deals messages to absent members too.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use rumqttc::{
    AckMode, AsyncClient, Broker, BrokerSessionResumePolicy, ConnAck, ConnectReturnCode, ConnectionError,
    DisconnectReasonCode, EventLoop, Incoming, MqttOptions, NetworkOptions, Outgoing, PersistedAckMode,
    PersistedSession, Publish, QoS, RetainForwardRule, SessionStore, SessionStoreError, SessionStoreKey,
    StateError, SubAck, SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tracing::{info, warn};
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_service::kafka::read_secret;

use crate::config::MqttSettings;

/// In-flight limit of what this client publishes, which is nothing. The library scans a table of this size at
/// each flush: with its default of 65,535 slots a message costs 320 µs.
const OUTGOING_MAX: u16 = 16;
/// Acks written, and packets read, with one system call.
const BATCH: usize = 64;

/// See the module.
pub struct Session {
    client: AsyncClient,
    eventloop: EventLoop,
    filters: Vec<SubscribeFilter>,
    url: String,
    client_id: String,
    username: String,
    session_expiry_s: u32,
    opened_before: bool,
}

/// What the session brings.
#[derive(Debug)]
pub enum Event {
    /// The broker accepted the connection; the subscription is on its way.
    Opened,
    /// The subscription stands.
    Subscribed,
    /// A message.
    Message(Publish),
    /// The connection is gone; the next call connects again.
    Lost(Loss),
    /// This side has sent its DISCONNECT: the end.
    Closed,
}

/// Why a connection was lost, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The word that metrics carry.
    pub cause: &'static str,
    /// What happened and what to do.
    pub detail: String,
}

// === impl Session ===

impl Session {
    /// Prepares a session; nothing is connected yet. `acks_max` acks can wait to be sent.
    ///
    /// # Errors
    /// Where a file can't be read or the options contradict each other.
    pub fn new(settings: &MqttSettings, filters: &[String], acks_max: usize) -> anyhow::Result<Self> {
        let options = options(settings)?;
        let filters = filters.iter().map(|filter| subscription(&settings.group, filter));
        let (client, eventloop) =
            AsyncClient::builder(options).capacity(acks_max).try_build().context("[mqtt]")?;
        Ok(Self {
            client,
            eventloop,
            filters: filters.collect(),
            url: settings.url.clone(),
            client_id: settings.client_id.clone(),
            username: settings.username.clone(),
            session_expiry_s: settings.session_expiry_s,
            opened_before: false,
        })
    }

    /// The client that acks are sent with.
    #[must_use]
    pub fn client(&self) -> AsyncClient {
        self.client.clone()
    }

    /// The next event. Dropped while it runs, it may lose what was being written: only where the connection
    /// is given up anyway.
    pub async fn next(&mut self) -> Event {
        loop {
            match self.eventloop.poll().await {
                Ok(rumqttc::Event::Incoming(Incoming::Publish(publish))) => return Event::Message(publish),
                Ok(rumqttc::Event::Incoming(Incoming::ConnAck(accepted))) => return self.opened(&accepted),
                Ok(rumqttc::Event::Incoming(Incoming::SubAck(answer))) => return self.subscribed(&answer),
                Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) | Err(ConnectionError::RequestsDone) => {
                    return Event::Closed;
                }
                Ok(_) => {}
                Err(error) => return Event::Lost(self.explain(&error)),
            }
        }
    }

    /// Drops the connection, if there is one, and every request that is queued for it: acks above all.
    pub fn discard(&mut self) {
        self.eventloop.clean();
    }

    fn opened(&mut self, accepted: &ConnAck) -> Event {
        // The local half of the session is known from here on: no need to save it at each packet.
        self.eventloop.options.clear_session_store();
        let granted_s =
            accepted.properties.as_ref().and_then(|properties| properties.session_expiry_interval);
        if let Some(granted_s) = granted_s.filter(|granted_s| *granted_s < self.session_expiry_s) {
            warn!(
                granted_s,
                "the broker keeps the session for {granted_s} s only, asked were {} s (mqtt.session_expiry_s): \
                 messages that wait longer than that are lost",
                self.session_expiry_s
            );
        }
        let (url, client_id) = (&self.url, &self.client_id);
        match (accepted.session_present, self.opened_before) {
            (true, _) => info!("connected to {url} as {client_id}, the session continues"),
            (false, false) => info!("connected to {url} as {client_id}, with a new session"),
            (false, true) => warn!(
                "connected to {url} as {client_id}, but the broker has lost the session: what it held for this \
                 client is gone. Is the broker's persistence on, and its session expiry long enough?"
            ),
        }
        self.opened_before = true;
        // Also where the session continues: the configuration may have another filter than the session.
        match self.client.try_subscribe_many(self.filters.clone()) {
            Ok(()) => Event::Opened,
            Err(error) => Event::Lost(Loss {
                cause: "subscription",
                detail: format!("cannot ask for the subscription: {error}"),
            }),
        }
    }

    fn subscribed(&self, answer: &SubAck) -> Event {
        let refused = self
            .filters
            .iter()
            .zip(&answer.return_codes)
            .find(|(_, code)| !matches!(code, SubscribeReasonCode::Success(_)));
        match refused {
            None => Event::Subscribed,
            Some((filter, code)) => Event::Lost(Loss {
                cause: "subscription",
                detail: format!(
                    "the broker refuses the subscription to {}: {code:?}. May the user {:?} read it, and does \
                     the broker have shared subscriptions?",
                    filter.path, self.username
                ),
            }),
        }
    }

    /// The loss to another client with the same id; `sign` is what it is known by.
    #[must_use]
    pub fn taken_over(&self, sign: &str) -> Loss {
        let (url, client_id) = (&self.url, &self.client_id);
        Loss {
            cause: "taken_over",
            detail: format!(
                "another client connects to {url} as {client_id} ({sign}). Does another process have the same \
                 mqtt.client_id? Each needs its own"
            ),
        }
    }

    fn explain(&self, error: &ConnectionError) -> Loss {
        let url = &self.url;
        let (cause, detail) = match error {
            ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code: DisconnectReasonCode::SessionTakenOver,
                ..
            }) => return self.taken_over("the broker says so"),
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => (
                "broker",
                format!(
                    "the broker at {url} ends the connection: {reason_code:?} {}",
                    reason_string.as_deref().unwrap_or_default()
                ),
            ),
            ConnectionError::ConnectionRefused(
                code @ (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized),
            )
            | ConnectionError::MqttState(StateError::ConnFail {
                reason: code @ (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized),
            }) => (
                "refused",
                format!(
                    "the broker at {url} refuses the user {:?} ({code:?}): check mqtt.username and \
                     mqtt.password_file",
                    self.username
                ),
            ),
            ConnectionError::ConnectionRefused(code) => {
                ("refused", format!("the broker at {url} refuses the connection: {code:?}"))
            }
            ConnectionError::Timeout(_) => (
                "unreachable",
                format!("the broker at {url} does not answer: is it running, and is mqtt.url right?"),
            ),
            ConnectionError::Tls(error) => (
                "tls",
                format!(
                    "no TLS with the broker at {url}: {error}. Check mqtt.ca_file and the certificate's names"
                ),
            ),
            ConnectionError::Io(error) => (
                "unreachable",
                format!(
                    "no connection to the broker at {url}: {error}. Is it running, and is mqtt.url right?"
                ),
            ),
            error => ("broken", format!("the connection to the broker at {url} broke: {error}")),
        };
        Loss { cause, detail }
    }
}

fn options(settings: &MqttSettings) -> anyhow::Result<MqttOptions> {
    let (host, port, tls) = settings.address()?;
    let mut options = MqttOptions::new(settings.client_id.clone(), Broker::tcp(host, port));
    if !settings.username.is_empty() {
        options.set_username(settings.username.clone());
        if !settings.password_file.as_os_str().is_empty() {
            let password = read_secret(&settings.password_file, "mqtt.password_file")?;
            options.set_credentials(settings.username.clone(), password);
        }
    }
    if tls {
        options.set_transport(Transport::tls_with_config(tls_configuration(settings)?));
    }
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(settings.keep_alive_s)
        .set_connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(settings.session_expiry_s))
        .set_receive_maximum(Some(settings.receive_maximum))
        .set_max_packet_size(Some(u32::try_from(PACKET_BYTES_MAX).unwrap_or(u32::MAX)))
        .set_ack_mode(AckMode::Manual)
        .set_outgoing_inflight_upper_limit(OUTGOING_MAX)
        .set_max_request_batch(BATCH)
        .set_read_batch_size(BATCH)
        .set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly)
        .set_session_store(NothingPublished(settings.client_id.clone()));
    Ok(options)
}

/// How `settings` secure a connection by TLS.
///
/// # Errors
/// Where a file can't be read.
pub fn tls_configuration(settings: &MqttSettings) -> anyhow::Result<TlsConfiguration> {
    if settings.ca_file.as_os_str().is_empty() {
        return TlsConfiguration::try_default_rustls().context("cannot read the system's authorities");
    }
    let read = |file: &std::path::Path, key: &str| {
        std::fs::read(file).with_context(|| format!("cannot read {} ({key})", file.display()))
    };
    let client_auth = if settings.cert_file.as_os_str().is_empty() {
        None
    } else {
        let certificate = read(&settings.cert_file, "mqtt.cert_file")?;
        Some((certificate, read(&settings.key_file, "mqtt.key_file")?))
    };
    Ok(TlsConfiguration::Simple { ca: read(&settings.ca_file, "mqtt.ca_file")?, alpn: None, client_auth })
}

fn subscription(group: &str, filter: &str) -> SubscribeFilter {
    let path = match group {
        "" => filter.to_owned(),
        group => format!("$share/{group}/{filter}"),
    };
    let mut filter = SubscribeFilter::new(path, QoS::AtLeastOnce);
    filter.retain_forward_rule = RetainForwardRule::OnNewSubscribe;
    filter
}

/// The local half of a session in which nothing was ever published. The library takes a broker's session
/// without a local half (after a restart of this process) for one in which packet ids may be in use, and then
/// refuses to subscribe; a filter that is new in the configuration would silently have no effect.
#[derive(Debug)]
struct NothingPublished(String);

type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for NothingPublished {
    fn load<'a>(&'a self, _key: &'a SessionStoreKey) -> StoreFuture<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: self.0.clone(),
            clean_start: false,
            session_expiry_interval: None,
            outgoing_inflight_upper_limit: Some(OUTGOING_MAX),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(std::future::ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _key: &'a SessionStoreKey, _session: &'a PersistedSession) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _key: &'a SessionStoreKey) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
