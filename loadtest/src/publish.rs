//! Publishing at QoS 1: every message is kept until the broker's PUBACK, over any number of reconnects, and the
//! messages of one connection keep their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::latency::microseconds;
use crate::message::Message;
use crate::mqtt::{self, Incoming, Limits};
use crate::pace::Pace;
use crate::probe::Probes;
use crate::window::Window;

/// Where a connection goes.
#[derive(Clone, Debug)]
pub struct Broker {
    /// `host:port`.
    pub address: String,
    /// User and password.
    pub credentials: Option<(String, String)>,
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
    stream: TcpStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// Bytes of `outgoing` that are written.
    written: usize,
    /// What the broker takes.
    packet_bytes_max: usize,
}

/// A write carries about this much: few system calls, and still little memory.
const WRITE_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// Pauses between bursts are shorter than this by far.
const KEEP_ALIVE_S: u16 = 600;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
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
        loop {
            *exhausted |= stop.is_cancelled();
            let due = self.fill(link, source, pace, exhausted)?;
            if *exhausted && self.window.is_empty() && link.is_flushed() {
                return Ok(());
            }
            let (mut reader, mut writer) = link.stream.split();
            tokio::select! {
                written = writer.write(&link.outgoing[link.written..]), if link.written < link.outgoing.len() => {
                    link.written += written.context("writing")?;
                    if link.is_flushed() {
                        link.outgoing.clear();
                        link.written = 0;
                    }
                }
                read = reader.read_buf(&mut link.incoming) => {
                    if read.context("reading")? == 0 {
                        return Err(anyhow::anyhow!("the broker closed it").into());
                    }
                    self.take_acks(&mut link.incoming)?;
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
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

    async fn dial(&self) -> Result<(TcpStream, Limits), Failure> {
        let mut stream = TcpStream::connect(&self.broker.address)
            .await
            .with_context(|| format!("connecting to {}", self.broker.address))?;
        stream.set_nodelay(true).context("setting TCP_NODELAY")?;
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
    /// From `mqtt://host:port` and, where the broker wants one, a user with a password.
    ///
    /// # Errors
    /// Where the address is of another kind.
    pub fn parse(url: &str, credentials: Option<(String, String)>) -> anyhow::Result<Self> {
        let Some(address) = url.strip_prefix("mqtt://") else {
            bail!("{url}: a load is published to mqtt://HOST:PORT; TLS would measure itself");
        };
        let address = address.trim_end_matches('/');
        ensure!(
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()),
            "{url}: host and port are needed, as in mqtt://127.0.0.1:1883"
        );
        Ok(Self { address: address.to_owned(), credentials })
    }
}

// === impl Link ===

impl Link {
    fn is_flushed(&self) -> bool {
        self.written == self.outgoing.len()
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
        Self::Lost(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_scheme_host_and_port() {
        assert_eq!(Broker::parse("mqtt://127.0.0.1:1883/", None).unwrap().address, "127.0.0.1:1883");
        for wrong in ["127.0.0.1:1883", "mqtts://host:8883", "mqtt://host", "mqtt://:1883", "mqtt://host:x"] {
            let error = Broker::parse(wrong, None).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
