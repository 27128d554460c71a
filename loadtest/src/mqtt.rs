//! The few MQTT 5 packets that a publisher needs.
//!
//! A client library spends 5 µs of CPU on each QoS 1 message, which is as much as the services under test are
//! allowed; this and a write per 64 KiB spend a fraction of it. It also lets the publisher know which message was
//! acknowledged, and keep the rest over any reconnect.

use anyhow::{bail, ensure};

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH_QOS1: u8 = 0x32;
const PUBACK: u8 = 0x40;
const PINGRESP: u8 = 0xd0;
const DISCONNECT: u8 = 0xe0;
const DUP: u8 = 0x08;
/// The property of a CONNACK that bounds unacknowledged messages.
const RECEIVE_MAXIMUM: u8 = 0x21;
/// The property of a CONNACK that bounds a packet.
const MAXIMUM_PACKET_SIZE: u8 = 0x27;

/// What the broker lets a publisher do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unacknowledged messages.
    pub receive_maximum: u16,
    /// Bytes of a packet.
    pub packet_bytes_max: u32,
}

/// A packet from the broker.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to CONNECT.
    ConnAck {
        /// 0 is success.
        reason: u8,
        /// What the broker says of itself.
        limits: Limits,
    },
    /// The broker has taken this message.
    PubAck {
        /// The packet id.
        id: u16,
        /// 0 is success, 0x10 success without any subscriber.
        reason: u8,
    },
    /// The broker is there.
    PingResp,
    /// The broker closes the connection.
    Disconnect {
        /// Why.
        reason: u8,
    },
}

/// Appends a CONNECT with a clean start: what is unacknowledged is the publisher's own to keep.
pub fn write_connect(
    client_id: &str,
    credentials: Option<(&str, &str)>,
    keep_alive_s: u16,
    out: &mut Vec<u8>,
) {
    let mut body = Vec::with_capacity(64);
    write_text(b"MQTT", &mut body);
    let flags = if credentials.is_some() { 0b1100_0010 } else { 0b0000_0010 };
    body.extend_from_slice(&[5, flags]);
    body.extend_from_slice(&keep_alive_s.to_be_bytes());
    body.push(0);
    write_text(client_id.as_bytes(), &mut body);
    if let Some((username, password)) = credentials {
        write_text(username.as_bytes(), &mut body);
        write_text(password.as_bytes(), &mut body);
    }
    out.push(CONNECT);
    write_length(body.len(), out);
    out.extend_from_slice(&body);
}

/// Appends a QoS 1 PUBLISH.
pub fn write_publish(topic: &str, id: u16, payload: &[u8], out: &mut Vec<u8>) {
    out.push(PUBLISH_QOS1);
    write_length(2 + topic.len() + 2 + 1 + payload.len(), out);
    write_text(topic.as_bytes(), out);
    out.extend_from_slice(&id.to_be_bytes());
    out.push(0);
    out.extend_from_slice(payload);
}

/// Marks a PUBLISH as sent before.
pub fn mark_redelivered(packet: &mut [u8]) {
    if let Some(first) = packet.first_mut() {
        *first |= DUP;
    }
}

/// Appends a DISCONNECT.
pub fn write_disconnect(out: &mut Vec<u8>) {
    out.extend_from_slice(&[DISCONNECT, 0]);
}

/// Reads one packet from the front of `bytes` and says how many bytes it took; `None` where it isn't whole yet.
///
/// # Errors
/// Where the bytes are no packet that a publisher may get.
pub fn read(bytes: &[u8]) -> anyhow::Result<Option<(Incoming, usize)>> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((length, length_bytes)) = read_length(rest)? else {
        return Ok(None);
    };
    let Some(body) = rest.get(length_bytes..length_bytes + length) else {
        return Ok(None);
    };
    let packet = match first {
        CONNACK => {
            ensure!(body.len() >= 3, "a CONNACK of {} bytes is too short for MQTT 5", body.len());
            Incoming::ConnAck { reason: body[1], limits: limits(&body[2..])? }
        }
        PUBACK => {
            ensure!(body.len() >= 2, "a PUBACK without a packet id");
            Incoming::PubAck {
                id: u16::from_be_bytes([body[0], body[1]]),
                reason: body.get(2).copied().unwrap_or(0),
            }
        }
        PINGRESP => Incoming::PingResp,
        DISCONNECT => Incoming::Disconnect { reason: body.first().copied().unwrap_or(0) },
        other => bail!("the broker sent a packet of type {other:#04x}, which no publisher gets"),
    };
    Ok(Some((packet, 1 + length_bytes + length)))
}

/// What a reason code means, for the codes that a publisher meets.
#[must_use]
pub const fn reason_text(reason: u8) -> &'static str {
    match reason {
        0x00 => "success",
        0x10 => "no matching subscribers",
        0x84 => "unsupported protocol version: the broker must speak MQTT 5",
        0x85 => "client identifier not valid",
        0x86 => "bad user name or password",
        0x87 => "not authorized: the broker's ACL must let this user write wattline/#",
        0x88 => "server unavailable",
        0x8b => "server shutting down",
        0x8d => "keep alive timeout",
        0x8e => "session taken over by a client with the same id",
        0x90 => "topic name invalid",
        0x93 => "receive maximum exceeded",
        0x95 => "packet too large for this broker",
        0x97 => "quota exceeded",
        _ => "see the reason codes of MQTT 5",
    }
}

/// Reads the properties of a CONNACK; what is missing is unlimited.
fn limits(properties: &[u8]) -> anyhow::Result<Limits> {
    let mut limits = Limits { receive_maximum: u16::MAX, packet_bytes_max: u32::MAX };
    let Some((length, start)) = read_length(properties)? else {
        return Ok(limits);
    };
    let mut rest = properties.get(start..start + length).unwrap_or_default();
    while let Some((&id, value)) = rest.split_first() {
        let bytes = match (id, value) {
            (RECEIVE_MAXIMUM, &[high, low, ..]) => {
                limits.receive_maximum = u16::from_be_bytes([high, low]);
                2
            }
            (MAXIMUM_PACKET_SIZE, &[a, b, c, d, ..]) => {
                limits.packet_bytes_max = u32::from_be_bytes([a, b, c, d]);
                4
            }
            // Maximum QoS, retain, wildcard, subscription ids, shared subscriptions.
            (0x24 | 0x25 | 0x28 | 0x29 | 0x2a, _) => 1,
            // Server keep alive, topic alias maximum.
            (0x13 | 0x22, _) => 2,
            // Session expiry.
            (0x11, _) => 4,
            // Assigned client id, authentication, response information, server, reason: texts and bytes.
            (0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f, &[high, low, ..]) => {
                2 + usize::from(u16::from_be_bytes([high, low]))
            }
            _ => return Ok(limits),
        };
        rest = value.get(bytes..).unwrap_or_default();
    }
    Ok(limits)
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&text[..usize::from(length)]);
}

fn write_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
        let byte = (length % 128) as u8;
        length /= 128;
        if length == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

fn read_length(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    ensure!(bytes.len() < 4, "a packet length of more than four bytes");
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_whole_or_not_at_all() {
        let connack = [0x20, 14, 0, 0, 11, 0x22, 0, 10, 0x21, 3, 232, 0x27, 0, 4, 0, 0];
        for end in 0..connack.len() {
            assert_eq!(read(&connack[..end]).unwrap(), None);
        }
        assert_eq!(
            read(&connack).unwrap(),
            Some((
                Incoming::ConnAck {
                    reason: 0,
                    limits: Limits { receive_maximum: 1000, packet_bytes_max: 262_144 }
                },
                connack.len()
            ))
        );
        let acks = [0x40, 2, 1, 2, 0x40, 4, 0, 7, 0x10, 0];
        assert_eq!(read(&acks).unwrap(), Some((Incoming::PubAck { id: 258, reason: 0 }, 4)));
        assert_eq!(read(&acks[4..]).unwrap(), Some((Incoming::PubAck { id: 7, reason: 0x10 }, 6)));
        assert!(read(&[0x30, 0]).is_err());
        assert!(read(&[0x40, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn a_publish_has_its_length_topic_id_and_payload() {
        let mut packet = Vec::new();
        write_publish("a/b", 513, &[b'x'; 200], &mut packet);
        assert_eq!(&packet[..11], &[0x32, 0xd0, 0x01, 0, 3, b'a', b'/', b'b', 2, 1, 0]);
        assert_eq!(packet.len(), 11 + 200);
        mark_redelivered(&mut packet);
        assert_eq!(packet[0], 0x3a);
    }
}
