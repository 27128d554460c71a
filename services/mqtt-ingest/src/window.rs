//! The window: every message that was received and is not settled yet, in the order of arrival.
//!
//! A message is settled when Kafka has confirmed all records made of it *and* everything before it is settled:
//! then it leaves the window, and its PUBACK is sent if the connection that brought it still stands. A packet
//! id means something only on its own connection: an ack that is sent after a reconnect acknowledges a *new*
//! message that the broker gave the same id, and that one is lost. So each entry carries its connection.
//!
//! A message that the broker delivers again, because the connection broke before its PUBACK was sent, is known: it
//! comes in as a copy without records, behind its original, and all that is left to do is its PUBACK.
//!
//! The window also keeps the account at the door: whatever was received is in exactly one of its counts, under
//! one lock, so the equation holds at every look.

mod account;
mod known;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use documented::DocumentedFields;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use wattline_reading::{Reason, Timestamp};

use crate::received::Received;
use known::Known;

pub use account::{Account, Fate, Shed};
pub use known::Arrival;

/// Section `[window]`: what may be in flight at most.
#[derive(Clone, Copy, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowSettings {
    /// Messages that were received and are not settled.
    pub messages_max: usize,
    /// Records that Kafka has not confirmed.
    pub records_max: usize,
    /// Bytes of these messages and of their records.
    pub bytes_max: usize,
}

/// How much of something is in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Messages.
    pub messages: usize,
    /// Records given to Kafka for them.
    pub records: usize,
    /// Bytes of messages and records.
    pub bytes: usize,
}

/// What one call of [`Window::settle`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Arrival of the first message that was settled: the longest waiting.
    pub oldest: Option<Timestamp>,
    /// The front is settled but its ack could not be queued.
    pub blocked: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Window {
    settings: WindowSettings,
    /// Sequence number of the first entry; numbers are never used twice.
    first: u64,
    entries: VecDeque<Entry>,
    used: Usage,
    connection: u64,
    connected: bool,
    known: Known,
    account: Account,
    /// Woken when something has left the window.
    settled: Arc<Notify>,
}

#[derive(Debug)]
struct Entry {
    message: Received,
    connection: u64,
    fate: Fate,
    /// Records that Kafka has not confirmed.
    open: usize,
    records: usize,
    bytes: usize,
}

/// Waits until `condition` holds: looked at now, and whenever something has left the window.
pub async fn wait_until(window: &Mutex<Window>, condition: impl Fn(&Window) -> bool) {
    let settled = Arc::clone(&window.lock().settled);
    loop {
        // Before the look: what leaves in between wakes it.
        let left = settled.notified();
        if condition(&window.lock()) {
            return;
        }
        left.await;
    }
}

// === impl Window ===

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(settings: WindowSettings) -> Self {
        Self {
            settings,
            first: 0,
            entries: VecDeque::new(),
            used: Usage::default(),
            connection: 0,
            connected: false,
            known: Known::default(),
            account: Account::default(),
            settled: Arc::default(),
        }
    }

    /// A connection stands: messages from now on are its own. Where the broker has lost the session, it will
    /// deliver nothing again, and gives the packet ids to other messages.
    pub fn connection_opened(&mut self, session_present: bool) {
        self.connection += 1;
        self.connected = true;
        if !session_present {
            self.known.clear();
        }
    }

    /// The connection is gone, and with it the right to acknowledge what it brought. What was not acknowledged
    /// will be known when it comes again.
    pub fn connection_lost(&mut self) {
        if self.connected {
            let brought = self.entries.iter().filter(|entry| entry.connection == self.connection);
            for entry in brought.filter(|entry| entry.fate != Fate::Copy) {
                self.known.taken(&entry.message);
            }
        }
        self.connection += 1;
        self.connected = false;
    }

    /// What is known of a message that has arrived on this connection, by its packet id and content.
    pub fn recognise(&mut self, received: &Received) -> Arrival {
        self.known.recognise(received)
    }

    /// Takes in a copy that [`Window::recognise`] has recognised: acknowledged behind everything that is in front
    /// of it, its original above all. It has no records, and costs no more than its place.
    pub fn admit_copy(&mut self, copy: &Received) {
        let bare = Received { topic: Bytes::new(), payload: Bytes::new(), ..*copy };
        self.admit(bare, Fate::Copy, 0, 0);
    }

    /// Whether a message with so many records and bytes may come in. An empty window takes anything, or one
    /// large message could never pass. QoS 0 (packet id 0) may come into half of it: nothing slows its publishers down, and
    /// where it filled all, the connection that brings QoS 1 beside it would have to be given up.
    #[must_use]
    pub fn has_room(&self, packet_id: u16, records: usize, bytes: usize) -> bool {
        let share = if packet_id == 0 { 2 } else { 1 };
        let fits = |used: usize, max: usize| used.saturating_mul(share) <= max;
        self.entries.is_empty()
            || (fits(self.entries.len() + 1, self.settings.messages_max)
                && fits(self.used.records + records, self.settings.records_max)
                && fits(self.used.bytes + bytes, self.settings.bytes_max))
    }

    /// True where at most half of each bound is used: room enough for what a broker delivers after a reconnect.
    #[must_use]
    pub fn is_half_free(&self) -> bool {
        let Usage { messages, records, bytes } = self.used();
        messages * 2 <= self.settings.messages_max
            && records * 2 <= self.settings.records_max
            && bytes * 2 <= self.settings.bytes_max
    }

    /// Takes a message in. `bytes` are those of its records; the result is its sequence number.
    pub fn admit(&mut self, message: Received, fate: Fate, records: usize, bytes: usize) -> u64 {
        self.account.count_received(message.packet_id);
        let bytes = bytes + message.topic.len() + message.payload.len();
        self.used.records += records;
        self.used.bytes += bytes;
        self.entries.push_back(Entry {
            message,
            connection: self.connection,
            fate,
            open: records,
            records,
            bytes,
        });
        self.first + self.entries.len() as u64 - 1
    }

    /// Lets a message go that was received and not taken in.
    pub fn shed(&mut self, packet_id: u16, why: Shed) {
        self.account.count_received(packet_id);
        self.account.count_shed(why, 1);
    }

    /// Lets a message of QoS 1 go that the broker will deliver again. `new`: no earlier process can have had it.
    pub fn shed_for_now(&mut self, received: &Received, why: Shed, new: bool) {
        self.shed(received.packet_id, why);
        if new {
            self.known.shed(received);
        }
    }

    /// True while the message has not left the window.
    #[must_use]
    pub fn holds(&self, sequence: u64) -> bool {
        (self.first..self.first + self.entries.len() as u64).contains(&sequence)
    }

    /// Kafka has confirmed one record of the message. Of a message that has left the window: nothing happens.
    pub fn confirm(&mut self, sequence: u64) {
        if let Some(entry) = self.entry(sequence) {
            entry.open = entry.open.saturating_sub(1);
        }
    }

    /// Kafka has refused one record of the message for what is in it. The first time, the message's fate turns
    /// to a dead letter, which counts as one more open record of `bytes`: the caller sends it.
    pub fn refuse(
        &mut self,
        sequence: u64,
        dead_letter_bytes: impl FnOnce(&Received) -> usize,
    ) -> Option<Received> {
        let entry = self.entry(sequence)?;
        entry.open = entry.open.saturating_sub(1);
        if matches!(entry.fate, Fate::DeadLetter(_)) {
            return None;
        }
        entry.fate = Fate::DeadLetter(Reason::KafkaRefused);
        entry.open += 1;
        entry.records += 1;
        let message = entry.message.clone();
        let bytes = dead_letter_bytes(&message);
        entry.bytes += bytes;
        self.used.records += 1;
        self.used.bytes += bytes;
        Some(message)
    }

    /// Settles from the front everything that Kafka has: acknowledges it, counts it, and lets it go. `ack` says
    /// whether the acknowledgement could be queued; if not, the rest waits for the next call.
    pub fn settle(&mut self, mut ack: impl FnMut(u16) -> bool) -> Settled {
        let mut settled = Settled::default();
        while let Some(entry) = self.entries.front().filter(|entry| entry.open == 0) {
            let packet_id = entry.message.packet_id;
            if packet_id != 0 && self.connected && entry.connection == self.connection {
                if !ack(packet_id) {
                    settled.blocked = true;
                    break;
                }
                settled.acknowledged += 1;
                self.known.acknowledged(packet_id);
            }
            let (fate, received_at) = (entry.fate, entry.message.received_at);
            settled.oldest.get_or_insert(received_at);
            self.account.count_settled(fate);
            self.drop_front();
        }
        if settled.oldest.is_some() {
            self.settled.notify_waiters();
        }
        settled
    }

    /// Gives up everything in flight: its producer is gone, and nobody will ever confirm the rest of it. The connection must be
    /// given up, too. What Kafka has confirmed stays known as taken. So many were given up unconfirmed.
    pub fn abandon(&mut self) -> usize {
        self.connection_lost();
        let mut count = 0;
        while let Some(entry) = self.entries.front() {
            if entry.open == 0 {
                self.account.count_settled(entry.fate);
            } else {
                self.known.abandoned(&entry.message);
                self.account.count_shed(Shed::ProducerReplaced, 1);
                count += 1;
            }
            self.drop_front();
        }
        self.settled.notify_waiters();
        count
    }

    /// What is in flight.
    #[must_use]
    pub fn used(&self) -> Usage {
        Usage { messages: self.entries.len(), ..self.used }
    }

    /// What may be in flight.
    #[must_use]
    pub const fn bounds(&self) -> WindowSettings {
        self.settings
    }

    /// Arrival of the oldest message in flight.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.entries.front().map(|entry| entry.message.received_at)
    }

    /// Nothing is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The account at the door; with [`Window::used`] it adds up.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    fn entry(&mut self, sequence: u64) -> Option<&mut Entry> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    fn drop_front(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.first += 1;
            self.used.records -= entry.records;
            self.used.bytes -= entry.bytes;
        }
    }
}

// === impl WindowSettings ===

impl Default for WindowSettings {
    fn default() -> Self {
        Self { messages_max: 32_768, records_max: 100_000, bytes_max: 64 * 1024 * 1024 }
    }
}

#[cfg(test)]
mod tests;
