//! Publishing at QoS 1: every message is kept until the broker's PUBACK, over any number of reconnects, and the
//! messages of one connection keep their order.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wattline_service::mqtt::{BrokerAddress, tls_configuration};

use crate::latency::microseconds;
use crate::message::Message;
use crate::mqtt::{self, Incoming, Limits};
use crate::pace::Pace;
use crate::probe::Probes;
use crate::stream::{Moved, Stream, Tls, Untrusted};
use crate::window::Window;

/// Where a connection goes.
#[derive(Clone, Debug)]
pub struct Broker {
    /// `host:port`.
    pub address: String,
    /// User and password.
    pub credentials: Option<(String, String)>,
    tls: Option<Tls>,
}

/// What all connections of a run have done so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages written for the first time.
    pub published: AtomicU64,
    /// Payload bytes of them.
    pub payload_bytes: AtomicU64,
    /// Messages that the broker took.
    pub acknowledged: AtomicU64,
    /// Messages written again after a reconnect.
    pub resent: AtomicU64,
    /// Messages that the broker took with nobody subscribed: they are lost, and no service's fault.
    pub without_subscriber: AtomicU64,
    /// Connections made after the first.
    pub reconnects: AtomicU64,
}

/// One MQTT connection that publishes.
pub struct Publisher {
    broker: Broker,
    client_id: String,
    window: Window,
    link: Option<Link>,
    progress: Arc<Progress>,
    puback_us: Arc<Mutex<Histogram<u64>>>,
    probes: Option<Arc<Probes>>,
}

struct Link {
    stream: Stream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// Bytes of `outgoing` that are written.
    written: usize,
    /// What the broker takes.
    packet_bytes_max: usize,
    /// When the broker said something last, or owed nothing.
    heard_at: Instant,
}

/// A write carries about this much: few system calls, and still little memory.
const WRITE_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// Pauses between bursts are shorter than this by far.
const KEEP_ALIVE_S: u16 = 600;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// A broker that is gone with its machine neither answers nor refuses. One that owes an acknowledgement and says nothing for
/// this long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The most unacknowledged messages of one connection, where the broker allows more.
const WINDOW_MAX: u16 = 1000;

// === impl Publisher ===

impl Publisher {
    /// A publisher that connects when it has something to say.
    #[must_use]
    pub fn new(broker: Broker, client_id: String, progress: Arc<Progress>) -> Self {
        Self {
            broker,
            client_id,
            window: Window::new(WINDOW_MAX),
            link: None,
            progress,
            puback_us: Arc::new(Mutex::new(microseconds())),
            probes: None,
        }
    }

    /// Shares where the times from PUBLISH to PUBACK are kept, and who asks for instants to look for.
    #[must_use]
    pub fn measured_by(mut self, puback_us: Arc<Mutex<Histogram<u64>>>, probes: Arc<Probes>) -> Self {
        self.puback_us = puback_us;
        self.probes = Some(probes);
        self
    }

    /// Publishes all of `source` and returns when the broker has acknowledged the last of it. While the broker is
    /// away it waits for it. When `stop` is cancelled it takes nothing more and waits for what is open.
    ///
    /// # Errors
    /// Where the broker refuses the connection or a message for a reason that waiting doesn't cure.
    pub async fn publish(
        &mut self,
        source: &mut (impl Iterator<Item = Message> + Send),
        mut pace: Pace,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let mut exhausted = false;
        loop {
            let mut link = match self.link.take() {
                Some(link) => link,
                None => self.connect().await?,
            };
            let outcome = self.exchange(&mut link, source, &mut pace, &mut exhausted, stop).await;
            match outcome {
                Ok(()) => {
                    self.link = Some(link);
                    return Ok(());
                }
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Lost(error)) => {
                    self.progress.reconnects.fetch_add(1, Ordering::Relaxed);
                    info!(
                        client_id = self.client_id,
                        "connection to the broker lost, again in {RETRY_PAUSE:?}: {error:#}"
                    );
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        if let Some(mut link) = self.link.take() {
            let mut packet = Vec::new();
            mqtt::write_disconnect(&mut packet);
            // The broker notices a closed socket too; a goodbye that fails changes nothing.
            if link.stream.write_all(&packet).await.is_ok() {
                let _ = link.stream.shutdown().await;
            }
        }
    }

    async fn exchange(
        &mut self,
        link: &mut Link,
        source: &mut (impl Iterator<Item = Message> + Send),
        pace: &mut Pace,
        exhausted: &mut bool,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        // Set again only when it has rung: that costs a busy connection nothing.
        let mut silence = pin!(tokio::time::sleep(SILENCE_MAX));
        loop {
            *exhausted |= stop.is_cancelled();
            if self.window.is_empty() {
                link.heard_at = Instant::now();
            }
            let due = self.fill(link, source, pace, exhausted)?;
            if *exhausted && self.window.is_empty() && link.is_flushed() {
                return Ok(());
            }
            tokio::select! {
                moved = link.stream.exchange(&link.outgoing[link.written..], &mut link.incoming) => {
                    match moved.context("the connection")? {
                        Moved::Written(bytes) => link.has_written(bytes),
                        Moved::Read(0) => return Err(anyhow::anyhow!("the broker closed it").into()),
                        Moved::Read(_) => {
                            link.heard_at = Instant::now();
                            self.take_acks(&mut link.incoming)?;
                        }
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
                () = &mut silence => {
                    let heard_at = if self.window.is_empty() { Instant::now() } else { link.heard_at };
                    if heard_at.elapsed() >= SILENCE_MAX {
                        return Err(anyhow::anyhow!("no acknowledgement came for {SILENCE_MAX:?}").into());
                    }
                    silence.as_mut().reset((heard_at + SILENCE_MAX).into());
                }
                () = stop.cancelled(), if !*exhausted => {}
            }
        }
    }

    /// Puts new messages into the write buffer: as many as pace, window and buffer allow. Returns when the next
    /// one is due, where the pace is what it waits for.
    fn fill(
        &mut self,
        link: &mut Link,
        source: &mut impl Iterator<Item = Message>,
        pace: &mut Pace,
        exhausted: &mut bool,
    ) -> Result<Option<Instant>, Failure> {
        if *exhausted || !link.outgoing.is_empty() || !self.window.worth_filling() {
            return Ok(None);
        }
        let now = Instant::now();
        let mut count = 0;
        while link.outgoing.len() < WRITE_BYTES && self.window.has_room() {
            if !pace.take(now) {
                self.progress.published.fetch_add(count, Ordering::Relaxed);
                return Ok(Some(pace.next_due()));
            }
            let Some(message) = source.next() else {
                *exhausted = true;
                break;
            };
            if let (Some(probes), Some(ts)) = (&self.probes, message.first_of) {
                probes.offer(&message.topic, ts, now);
            }
            self.progress.payload_bytes.fetch_add(message.payload.len() as u64, Ordering::Relaxed);
            let packet = self.window.add(&message, now);
            if packet.len() > link.packet_bytes_max {
                return Err(Failure::Refused(anyhow::anyhow!(
                    "the message on {} makes a packet of {} bytes; the broker {} takes {}",
                    message.topic,
                    packet.len(),
                    self.broker.address,
                    link.packet_bytes_max
                )));
            }
            link.outgoing.extend_from_slice(packet);
            count += 1;
        }
        self.progress.published.fetch_add(count, Ordering::Relaxed);
        Ok(None)
    }

    fn take_acks(&mut self, incoming: &mut Vec<u8>) -> Result<(), Failure> {
        let now = Instant::now();
        let mut histogram = self.puback_us.lock();
        let mut taken = 0;
        let mut acknowledged = 0;
        while let Some((packet, bytes)) = mqtt::read(&incoming[taken..])? {
            taken += bytes;
            match packet {
                Incoming::PubAck { id, reason } => {
                    if reason >= 0x80 {
                        let text = mqtt::reason_text(reason);
                        return Err(Failure::Refused(anyhow::anyhow!(
                            "the broker {} refused a message with {reason:#04x}, {text}",
                            self.broker.address
                        )));
                    }
                    let Some(sent_at) = self.window.acknowledge(id) else { continue };
                    acknowledged += 1;
                    if reason == 0x10 {
                        self.progress.without_subscriber.fetch_add(1, Ordering::Relaxed);
                    }
                    let elapsed_us = now.saturating_duration_since(sent_at).as_micros();
                    histogram.saturating_record(u64::try_from(elapsed_us).unwrap_or(u64::MAX));
                }
                Incoming::Disconnect { reason } => {
                    let text = mqtt::reason_text(reason);
                    return Err(Failure::Lost(anyhow::anyhow!(
                        "the broker disconnects with {reason:#04x}, {text}"
                    )));
                }
                Incoming::PingResp | Incoming::ConnAck { .. } => {}
            }
        }
        incoming.drain(..taken);
        self.progress.acknowledged.fetch_add(acknowledged, Ordering::Relaxed);
        Ok(())
    }

    /// Tries until the broker answers; then everything unacknowledged is to be written again, in order.
    async fn connect(&mut self) -> anyhow::Result<Link> {
        let mut failures = 0_u32;
        loop {
            match tokio::time::timeout(CONNECT_TIMEOUT, self.dial()).await {
                Ok(Ok((stream, limits))) => {
                    self.window.limit(limits.receive_maximum);
                    let mut outgoing = Vec::with_capacity(2 * WRITE_BYTES);
                    let resent = self.window.write_all_again(&mut outgoing);
                    self.progress.resent.fetch_add(resent, Ordering::Relaxed);
                    return Ok(Link {
                        stream,
                        incoming: Vec::with_capacity(READ_BYTES),
                        outgoing,
                        written: 0,
                        packet_bytes_max: usize::try_from(limits.packet_bytes_max)?,
                        heard_at: Instant::now(),
                    });
                }
                Ok(Err(Failure::Refused(error))) => return Err(error),
                Ok(Err(Failure::Lost(error))) => {
                    if failures.is_multiple_of(50) {
                        warn!(
                            broker = self.broker.address,
                            "the broker can't be reached, trying on: {error:#}"
                        );
                    }
                }
                Err(_) => warn!(
                    broker = self.broker.address,
                    "the broker took no connection within {CONNECT_TIMEOUT:?}"
                ),
            }
            failures += 1;
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn dial(&self) -> Result<(Stream, Limits), Failure> {
        let mut stream = Stream::connect(&self.broker.address, self.broker.tls.as_ref()).await?;
        let credentials =
            self.broker.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        let mut packet = Vec::new();
        mqtt::write_connect(&self.client_id, credentials, KEEP_ALIVE_S, &mut packet);
        stream.write_all(&packet).await.context("sending CONNECT")?;
        let mut incoming = Vec::with_capacity(READ_BYTES);
        loop {
            if stream.read_buf(&mut incoming).await.context("waiting for CONNACK")? == 0 {
                return Err(anyhow::anyhow!("the broker closed the connection before its CONNACK").into());
            }
            match mqtt::read(&incoming)? {
                None => {}
                Some((Incoming::ConnAck { reason: 0, limits }, _)) => return Ok((stream, limits)),
                Some((Incoming::ConnAck { reason, .. }, _)) => return Err(self.refused(reason)),
                Some((packet, _)) => return Err(anyhow::anyhow!("{packet:?} in place of a CONNACK").into()),
            }
        }
    }

    fn refused(&self, reason: u8) -> Failure {
        let text = mqtt::reason_text(reason);
        let error = anyhow::anyhow!(
            "the broker {} refuses the connection with {reason:#04x}, {text}",
            self.broker.address
        );
        // 0x88 and 0x8b pass by themselves.
        if matches!(reason, 0x88 | 0x8b) { Failure::Lost(error) } else { Failure::Refused(error) }
    }
}

// === impl Broker ===

impl Broker {
    /// From `mqtt://host:port` or `mqtts://host:port` and, where the broker wants one, a user with a password. By TLS the
    /// server is trusted whose certificate names that host and is signed by an authority in `tls_root_file` (PEM), or
    /// without one by one of the system's.
    ///
    /// # Errors
    /// Where the address is of another kind, or the file holds no authority.
    pub fn parse(
        url: &str,
        credentials: Option<(String, String)>,
        tls_root_file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let BrokerAddress { host, port, tls } =
            BrokerAddress::parse(url).context("the address of the broker to publish to")?;
        let tls = if tls { Some(Tls::new(tls_configuration(tls_root_file, None)?, &host)?) } else { None };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Ok(Self { address: format!("{host}:{port}"), credentials, tls })
    }
}

// === impl Link ===

impl Link {
    fn is_flushed(&self) -> bool {
        self.written == self.outgoing.len()
    }

    fn has_written(&mut self, bytes: usize) {
        self.written += bytes;
        if self.is_flushed() {
            self.outgoing.clear();
            self.written = 0;
        }
    }
}

/// Why an exchange ended.
enum Failure {
    /// Waiting and connecting again cures it.
    Lost(anyhow::Error),
    /// It doesn't.
    Refused(anyhow::Error),
}

// === impl Failure ===

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        if error.is::<Untrusted>() { Self::Refused(error) } else { Self::Lost(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_scheme_and_host() {
        let address = |url: &str| Broker::parse(url, None, None).map(|broker| broker.address);
        assert_eq!(address("mqtt://127.0.0.1:1883/").unwrap(), "127.0.0.1:1883");
        assert_eq!(address("mqtt://[::1]:99").unwrap(), "[::1]:99");
        for wrong in ["127.0.0.1:1883", "http://host:8883", "mqtt://:1883", "mqtt://host:x"] {
            let error = format!("{:#}", address(wrong).unwrap_err());
            assert!(error.contains("write mqtt://"), "{error}");
        }
    }

    #[test]
    fn tls_is_by_the_address_and_trusts_the_file_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let authority = wattline_localstack::Authority::open(folder.path()).unwrap();
        let file = authority.ca_file();
        let broker = Broker::parse("mqtts://broker", None, Some(&file)).unwrap();
        assert_eq!(broker.address, "broker:8883");
        assert!(format!("{:?}", broker.tls).contains("broker"), "{:?}", broker.tls);
        assert!(Broker::parse("mqtt://broker", None, Some(&file)).unwrap().tls.is_none());
        let missing = folder.path().join("none.pem");
        let error = format!("{:#}", Broker::parse("mqtts://broker", None, Some(&missing)).unwrap_err());
        assert!(error.contains("none.pem"), "{error}");
    }
}
