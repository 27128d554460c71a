//! What the broker will deliver again after a reconnect, and what this process already knows of it.
//!
//! A packet id belongs to one message until its PUBACK reaches the broker. So of a message that was taken and whose
//! PUBACK was *never handed to the connection*, the broker still holds the id when the session continues: a packet
//! with the DUP flag, that id, that topic and that payload is it. Only such messages are known. One whose PUBACK was
//! under way when the connection broke is not: the broker may have got it and given the id to another message with
//! the same content (a device that publishes a bare value does that), and taking that for a copy would lose it. It
//! is taken again, marked as redelivered.
//!
//! Where a producer is given up, what Kafka has not confirmed may be in Kafka or not. It is given to Kafka again as what it
//! was when it came first, so that the store finds one reading in both.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use wattline_reading::Timestamp;

use crate::received::Received;

/// What is known of a message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first time.
    New,
    /// The broker says that it was delivered before, and this process knows nothing of it: an earlier one may have
    /// given it to Kafka.
    Redelivered,
    /// This process has taken it: only its acknowledgement is missing.
    Copy,
    /// This process took it at this time, and its producer was given up before Kafka confirmed it.
    Again {
        /// When it came first.
        at: Timestamp,
        /// It came as [`Arrival::Redelivered`].
        redelivered: bool,
    },
}

/// By packet id, so it is bounded. Empty in normal work: then it costs a message one comparison.
#[derive(Debug, Default)]
pub(super) struct Known {
    messages: HashMap<u16, Message>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    /// Of topic and payload.
    fingerprint: u64,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Kafka has it or will: only the acknowledgement is missing.
    Taken,
    /// It was let go, without an acknowledgement and without any record.
    Shed,
    /// Its producer was given up.
    Abandoned { at: Timestamp, redelivered: bool },
}

// === impl Known ===

impl Known {
    /// The connection is lost, and this one was taken and not acknowledged.
    pub(super) fn taken(&mut self, message: &Received) {
        self.insert(message, Fate::Taken);
    }

    /// This one was let go.
    pub(super) fn shed(&mut self, message: &Received) {
        self.insert(message, Fate::Shed);
    }

    /// Its producer is given up: whether Kafka has it nobody will say. Only of what is known as taken.
    pub(super) fn abandoned(&mut self, message: &Received) {
        let fingerprint = self.fingerprint(message);
        if let Some(known) = self.messages.get_mut(&message.packet_id)
            && known.fingerprint == fingerprint
        {
            known.fate = Fate::Abandoned { at: message.received_at, redelivered: message.duplicate };
        }
    }

    /// The acknowledgement of this id is on its way: what comes with the id from now on may be another message.
    pub(super) fn acknowledged(&mut self, packet_id: u16) {
        if !self.messages.is_empty() {
            self.messages.remove(&packet_id);
        }
    }

    /// The ids mean nothing any more.
    pub(super) fn clear(&mut self) {
        self.messages = HashMap::new();
    }

    pub(super) fn recognise(&mut self, received: &Received) -> Arrival {
        let unknown = if received.duplicate { Arrival::Redelivered } else { Arrival::New };
        if self.messages.is_empty() {
            return unknown;
        }
        let Some(known) = self.messages.get(&received.packet_id).copied() else {
            return unknown;
        };
        if received.duplicate && known.fingerprint == self.fingerprint(received) {
            // What was taken stays known until it is acknowledged: this connection may break, too.
            return match known.fate {
                Fate::Taken => Arrival::Copy,
                Fate::Abandoned { at, redelivered } => Arrival::Again { at, redelivered },
                Fate::Shed => {
                    self.messages.remove(&received.packet_id);
                    Arrival::New
                }
            };
        }
        // The broker has given the id to another message.
        self.messages.remove(&received.packet_id);
        unknown
    }

    /// Of QoS 0 nothing is known: it has no id.
    fn insert(&mut self, message: &Received, fate: Fate) {
        if message.packet_id != 0 {
            let fingerprint = self.fingerprint(message);
            self.messages.insert(message.packet_id, Message { fingerprint, fate });
        }
    }

    fn fingerprint(&self, message: &Received) -> u64 {
        self.hasher.hash_one((&*message.topic, &*message.payload))
    }
}
