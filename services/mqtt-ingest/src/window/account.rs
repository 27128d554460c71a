//! The account at the door: whatever was received is in exactly one of its counts.

use strum::{IntoStaticStr, VariantArray};
use wattline_formats::Ignored;
use wattline_reading::Reason;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its readings go to Kafka.
    Forward,
    /// There is nothing to store in it.
    Ignore(Ignored),
    /// It goes to the dead letters.
    DeadLetter(Reason),
    /// It would be a dead letter, but those of its topics have used up what they may.
    OverQuota,
    /// It was taken on an earlier connection: what it repeats is in front of it, or settled already.
    Copy,
}

/// Why a message was let go without being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Shed {
    /// QoS 0 and the window was full: lost, as QoS 0 allows.
    #[strum(serialize = "qos0_window_full")]
    Qos0WindowFull,
    /// QoS 1 beyond the window: the broker delivers it again on the next connection.
    Overrun,
    /// The producer was replaced while it was in flight: the broker delivers it again if it was QoS 1.
    ProducerReplaced,
    /// It came while the service was stopping: the broker delivers it again if it was QoS 1.
    Stopping,
    /// It repeats a message that was taken on an earlier connection: only its acknowledgement was missing.
    Copy,
    /// It would be a dead letter, but those of its topics have used up what they may: lost, and acknowledged.
    LetterQuota,
}

/// The account at the door, in messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Received by QoS: 0, 1.
    pub received: [u64; 2],
    /// Whose readings Kafka has.
    pub forwarded: u64,
    /// By [`Ignored::ALL`].
    pub ignored: [u64; Ignored::ALL.len()],
    /// That Kafka has as dead letters, by [`Reason::ALL`].
    pub dead_lettered: [u64; Reason::ALL.len()],
    /// By [`Shed::ALL`].
    pub shed: [u64; Shed::ALL.len()],
}

// === impl Shed ===

impl Shed {
    /// Every one of them, in the order of the declaration.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word that metrics carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

// === impl Account ===

impl Account {
    /// A message has arrived; a packet id of 0 is QoS 0.
    pub(super) fn count_received(&mut self, packet_id: u16) {
        self.received[usize::from(packet_id != 0)] += 1;
    }

    /// A message has come to its end.
    pub(super) fn count_settled(&mut self, fate: Fate) {
        match fate {
            Fate::Forward => self.forwarded += 1,
            Fate::Ignore(why) => self.ignored[why as usize] += 1,
            Fate::DeadLetter(reason) => self.dead_lettered[reason as usize] += 1,
            Fate::OverQuota => self.shed[Shed::LetterQuota as usize] += 1,
            Fate::Copy => self.shed[Shed::Copy as usize] += 1,
        }
    }

    /// So many messages are let go.
    pub(super) fn count_shed(&mut self, why: Shed, count: u64) {
        self.shed[why as usize] += count;
    }

    /// Received − (forwarded + ignored + dead-lettered + shed): equals what is in flight.
    #[must_use]
    pub fn open(&self) -> u64 {
        let sum = |counts: &[u64]| counts.iter().sum::<u64>();
        let closed = self.forwarded + sum(&self.ignored) + sum(&self.dead_lettered) + sum(&self.shed);
        sum(&self.received).wrapping_sub(closed)
    }
}
