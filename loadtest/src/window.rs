//! The unacknowledged messages of one connection.

use std::time::Instant;

use crate::message::Message;
use crate::mqtt;

/// Messages on their way, by packet id. The buffers of acknowledged messages are used again.
#[derive(Debug)]
pub struct Window {
    slots: Vec<Slot>,
    free: Vec<u16>,
    limit: usize,
    in_flight: usize,
    sequence: u64,
}

#[derive(Debug)]
struct Slot {
    packet: Vec<u8>,
    /// Order of the first sending; `None` where the slot is free.
    sequence: Option<u64>,
    sent_at: Instant,
}

// === impl Window ===

impl Window {
    /// At most `size_max` messages.
    #[must_use]
    pub fn new(size_max: u16) -> Self {
        let now = Instant::now();
        let slots =
            (0..size_max).map(|_| Slot { packet: Vec::new(), sequence: None, sent_at: now }).collect();
        Self {
            slots,
            free: (1..=size_max).rev().collect(),
            limit: usize::from(size_max),
            in_flight: 0,
            sequence: 0,
        }
    }

    /// Keeps to the broker's receive maximum.
    pub fn limit(&mut self, receive_maximum: u16) {
        self.limit = usize::from(receive_maximum).clamp(1, self.slots.len());
    }

    /// True where nothing is unacknowledged.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.in_flight == 0
    }

    /// True where one more may be sent.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.in_flight < self.limit
    }

    /// True where a quarter is free: one write of many messages is cheaper than many of one.
    #[must_use]
    pub const fn worth_filling(&self) -> bool {
        self.limit - self.in_flight > self.limit / 4
    }

    /// Takes a message in and returns its packet. The caller has seen that there is room.
    pub fn add(&mut self, message: &Message, now: Instant) -> &[u8] {
        let Some(id) = self.free.pop() else { return &[] };
        self.in_flight += 1;
        self.sequence += 1;
        let slot = &mut self.slots[usize::from(id) - 1];
        slot.sequence = Some(self.sequence);
        slot.sent_at = now;
        slot.packet.clear();
        mqtt::write_publish(&message.topic, id, &message.payload, &mut slot.packet);
        &slot.packet
    }

    /// Frees a message and says when it was sent; `None` for an id that isn't on its way.
    pub fn acknowledge(&mut self, id: u16) -> Option<Instant> {
        let slot = self.slots.get_mut(usize::from(id).checked_sub(1)?)?;
        slot.sequence.take()?;
        self.free.push(id);
        self.in_flight -= 1;
        Some(slot.sent_at)
    }

    /// Appends everything unacknowledged, in the order of its first sending, and counts it.
    pub fn write_all_again(&mut self, out: &mut Vec<u8>) -> u64 {
        let mut open: Vec<&mut Slot> = self.slots.iter_mut().filter(|slot| slot.sequence.is_some()).collect();
        open.sort_by_key(|slot| slot.sequence);
        let count = open.len() as u64;
        for slot in open {
            mqtt::mark_redelivered(&mut slot.packet);
            out.extend_from_slice(&slot.packet);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &str) -> Message {
        Message { topic: "t".into(), payload: payload.as_bytes().to_vec(), first_of: None }
    }

    #[test]
    fn what_is_unacknowledged_is_sent_again_in_its_order() {
        let mut window = Window::new(4);
        let now = Instant::now();
        for payload in ["a", "b", "c", "d"] {
            assert!(window.has_room());
            window.add(&message(payload), now);
        }
        assert!(!window.has_room());
        assert!(window.acknowledge(1).is_some());
        assert!(window.acknowledge(1).is_none(), "an ack counts once");
        assert!(window.acknowledge(0).is_none());
        assert!(window.acknowledge(9).is_none());
        window.add(&message("e"), now);

        let mut again = Vec::new();
        assert_eq!(window.write_all_again(&mut again), 4);
        let payloads: Vec<u8> =
            again.iter().copied().filter(u8::is_ascii_lowercase).filter(|b| *b != b't').collect();
        assert_eq!(payloads, b"bcde");
        assert_eq!(again[0] & 0x08, 0x08, "marked as sent before");
    }

    #[test]
    fn a_smaller_receive_maximum_is_kept() {
        let mut window = Window::new(100);
        window.limit(2);
        window.add(&message("a"), Instant::now());
        assert!(window.has_room());
        window.add(&message("b"), Instant::now());
        assert!(!window.has_room());
    }
}
