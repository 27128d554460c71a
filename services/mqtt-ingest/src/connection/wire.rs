//! Packets on one connection, both ways.
//!
//! Each round writes everything that waits in the outbox, and reads what has come; neither waits for the other. What
//! one read has brought is given out packet by packet before the next round, so at full speed a system call carries
//! hundreds of messages, and one their acknowledgements.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rumqttc::mqttbytes::{Error as PacketError, PacketType};
use rumqttc::{ConnAck, ConnectReturnCode, Disconnect, DisconnectReasonCode, Packet};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::keep_alive::{Due, KeepAlive};
use super::outbox::Outbox;

/// Room for one read. The messages of a read share its memory until the last of them is settled.
const READ_BYTES: usize = 64 * 1024;
/// With less room than this, a read gets new memory.
const READ_BYTES_MIN: usize = 8 * 1024;

/// A byte stream: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// See the module.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    /// Something was written that the stream may still hold back.
    unflushed: bool,
    /// Writing has failed. What the broker said before is still to be read: it may be why.
    unwritable: Option<io::Error>,
    /// The largest packet that is taken, in bytes.
    packet_bytes_max: u32,
    keep_alive: KeepAlive,
}

/// Why a connection ended, or could not be made.
#[derive(Debug)]
pub(super) enum Broken {
    /// It did not stand in time.
    Timeout,
    /// The name in the URL can't be that of a certificate.
    Name(String),
    /// The stream.
    Io(io::Error),
    /// The broker closed it without a word.
    Closed,
    /// The broker refuses it.
    Refused(ConnectReturnCode),
    /// The broker ended it, and says why.
    Ended(Disconnect),
    /// The broker has said nothing for so long, and doesn't answer.
    Silent(Duration),
    /// What came is no packet of MQTT 5, or larger than allowed.
    Malformed(PacketError),
    /// What came is a packet that has no place here.
    Unexpected(&'static str),
}

// === impl Wire ===

impl Wire {
    /// Sends the CONNECT and waits for its answer.
    pub(super) async fn open(
        stream: Box<dyn Stream>,
        connect: &Packet,
        keep_alive: Duration,
        packet_bytes_max: u32,
    ) -> Result<(Self, ConnAck), Broken> {
        let mut output = BytesMut::new();
        connect.write(&mut output, None).map_err(Broken::Malformed)?;
        let mut wire = Self {
            stream,
            input: BytesMut::with_capacity(READ_BYTES),
            output,
            unflushed: false,
            unwritable: None,
            packet_bytes_max,
            // Until it stands, the time to connect is the bound.
            keep_alive: KeepAlive::new(Duration::ZERO),
        };
        // Nothing else is to be sent before the answer.
        let accepted = match wire.next(&Outbox::new(0)).await? {
            Packet::ConnAck(answer) if answer.code == ConnectReturnCode::Success => answer,
            Packet::ConnAck(answer) => return Err(Broken::Refused(answer.code)),
            other => return Err(unexpected(&other)),
        };
        let told = accepted.properties.as_ref().and_then(|properties| properties.server_keep_alive);
        let keep_alive = told.map_or(keep_alive, |seconds| Duration::from_secs(u64::from(seconds)));
        wire.keep_alive = KeepAlive::new(keep_alive);
        Ok((wire, accepted))
    }

    /// The next packet; meanwhile what is in `outbox` is written. Dropped while it waits, nothing is lost.
    pub(super) async fn next(&mut self, outbox: &Outbox) -> Result<Packet, Broken> {
        loop {
            match Packet::read(&mut self.input, Some(self.packet_bytes_max)) {
                Ok(packet) => return Ok(packet),
                Err(PacketError::InsufficientBytes(missing)) => self.make_room(missing),
                Err(error) => return Err(Broken::Malformed(error)),
            }
            poll_fn(|context| self.poll_exchange(context, outbox)).await?;
        }
    }

    /// Writes what is left, and that this side ends the connection; the session stays with the broker.
    pub(super) async fn close(mut self, outbox: &Outbox) -> io::Result<()> {
        poll_fn(|context| self.poll_written(context, outbox)).await?;
        let goodbye = Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection));
        // Two bytes that can't be refused.
        let _ = goodbye.write(&mut self.output, None);
        poll_fn(|context| self.poll_written(context, outbox)).await?;
        poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context)).await
    }

    fn make_room(&mut self, missing: usize) {
        let room = self.input.capacity() - self.input.len();
        if room < READ_BYTES_MIN.max(missing) {
            self.input.reserve(READ_BYTES.max(missing));
        }
    }

    /// One round; ready when something has come.
    fn poll_exchange(&mut self, context: &mut Context<'_>, outbox: &Outbox) -> Poll<Result<(), Broken>> {
        loop {
            self.poll_write(context, outbox);
            match pin!(self.stream.read_buf(&mut self.input)).poll(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Broken::Closed)),
                Poll::Ready(Ok(_)) => {
                    self.keep_alive.received();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Io(error))),
                Poll::Pending => {}
            }
            match self.keep_alive.poll(context) {
                Poll::Ready(Due::Ping) => {
                    Packet::PingReq.write(&mut self.output, None).map_err(Broken::Malformed)?;
                }
                Poll::Ready(Due::Lost(after)) => return Poll::Ready(Err(Broken::Silent(after))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Writes as much as the stream takes now, which may be nothing.
    fn poll_write(&mut self, context: &mut Context<'_>, outbox: &Outbox) {
        if self.unwritable.is_none() {
            self.unwritable = self.try_write(context, outbox).err();
        }
    }

    fn try_write(&mut self, context: &mut Context<'_>, outbox: &Outbox) -> io::Result<()> {
        while !self.output.is_empty() || outbox.take(&mut self.output, context.waker()) {
            match Pin::new(&mut self.stream).poll_write(context, &self.output)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    self.output.advance(count);
                    self.unflushed = true;
                    self.keep_alive.sent();
                }
                Poll::Pending => return Ok(()),
            }
        }
        if self.unflushed && Pin::new(&mut self.stream).poll_flush(context)?.is_ready() {
            self.unflushed = false;
        }
        Ok(())
    }

    /// Ready when all of it is written.
    fn poll_written(&mut self, context: &mut Context<'_>, outbox: &Outbox) -> Poll<io::Result<()>> {
        self.poll_write(context, outbox);
        match self.unwritable.take() {
            Some(error) => Poll::Ready(Err(error)),
            None if self.output.is_empty() && !self.unflushed => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }
}

/// A packet that a broker must not send to a client that only subscribes, or not at this moment.
pub(super) fn unexpected(packet: &Packet) -> Broken {
    if let Packet::Disconnect(ended) = packet {
        return Broken::Ended(ended.clone());
    }
    Broken::Unexpected(match packet.packet_type() {
        PacketType::ConnAck => "a second CONNACK",
        PacketType::Auth => "an AUTH, for which nobody has asked",
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            "an answer to a message above QoS 0, and none was sent"
        }
        PacketType::Publish | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            "something before its CONNACK"
        }
        _ => "a packet that only clients send",
    })
}

// === impl Broken ===

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::Name(name) => write!(f, "{name:?} can't be the name of a server"),
            Self::Io(error) => write!(f, "{error}"),
            Self::Closed => f.write_str("the broker closed it"),
            Self::Refused(code) => write!(f, "refused: {code:?}"),
            Self::Ended(ended) => write!(f, "ended by the broker: {:?}", ended.reason_code),
            Self::Silent(after) => write!(f, "nothing has come for {} s", after.as_secs()),
            Self::Malformed(error) => write!(f, "{error}"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
