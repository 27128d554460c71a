//! What a subscription remembers of the readings that it brought, so that each instant comes once: the rules of
//! the store (first one stays, what it lacks is filled), applied to the stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use wattline_reading::{Meeting, Reading, Timestamp};

/// The newest instants of one subscription.
#[derive(Debug)]
pub(super) struct Memory {
    known: BTreeMap<Timestamp, Arc<Reading>>,
    capacity: usize,
    /// Instants up to here may have been brought already, and are forgotten.
    forgotten: Option<Timestamp>,
    newest: Option<Timestamp>,
}

/// What a reading from the stream is to a subscriber.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// An instant that was not brought before.
    New {
        /// The meter has sent a newer one before.
        late: bool,
    },
    /// A known instant, with more measures than before: this is the whole.
    Merged(Arc<Reading>),
    /// A known instant with nothing new: the same values, or others, of which the store keeps the first.
    Known,
    /// So old that it can't be told whether it was brought.
    Forgotten,
}

// === impl Memory ===

impl Memory {
    /// Remembers at most `capacity` instants.
    #[must_use]
    pub(super) const fn new(capacity: usize) -> Self {
        Self { known: BTreeMap::new(), capacity, forgotten: None, newest: None }
    }

    /// The newest instant that was brought.
    #[must_use]
    pub(super) const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The client knows readings up to here from before.
    pub(super) fn set_newest(&mut self, newest: Timestamp) {
        self.newest = self.newest.max(Some(newest));
    }

    /// Whether an instant is so old that it can't be told any more if it was brought.
    #[must_use]
    pub(super) fn is_forgotten(&self, ts: Timestamp) -> bool {
        self.forgotten.is_some_and(|forgotten| ts <= forgotten) && !self.known.contains_key(&ts)
    }

    /// Remembers a reading that was brought.
    pub(super) fn remember(&mut self, reading: Arc<Reading>) {
        self.set_newest(reading.ts);
        self.known.insert(reading.ts, reading);
        if self.known.len() > self.capacity
            && let Some((oldest, _)) = self.known.pop_first()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
        }
    }

    /// Judges a reading from the stream, and remembers it.
    pub(super) fn judge(&mut self, reading: &Arc<Reading>) -> Verdict {
        if let Some(known) = self.known.get(&reading.ts) {
            if known.meet(reading) != Meeting::Merged {
                return Verdict::Known;
            }
            let mut whole = Reading::clone(known);
            whole.absorb(reading);
            let whole = Arc::new(whole);
            self.known.insert(whole.ts, Arc::clone(&whole));
            return Verdict::Merged(whole);
        }
        if self.is_forgotten(reading.ts) {
            return Verdict::Forgotten;
        }
        let late = self.newest.is_some_and(|newest| reading.ts < newest);
        self.remember(Arc::clone(reading));
        Verdict::New { late }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wattline_reading::Measures;

    fn reading(second: i64, power_w: Option<f64>, voltage_v: Option<f64>) -> Arc<Reading> {
        Arc::new(Reading {
            received_at: Timestamp::from_micros(0),
            ..Reading::new(
                "a",
                Timestamp::from_micros(second * 1_000_000),
                Measures { power_w, voltage_v, ..Measures::default() },
            )
        })
    }

    #[test]
    fn each_instant_comes_once() {
        let mut memory = Memory::new(100);
        assert_eq!(memory.judge(&reading(10, Some(1.0), None)), Verdict::New { late: false });
        assert_eq!(memory.judge(&reading(10, Some(1.0), None)), Verdict::Known);
        assert_eq!(memory.judge(&reading(10, Some(2.0), None)), Verdict::Known, "the first stays");
        assert_eq!(memory.judge(&reading(11, Some(2.0), None)), Verdict::New { late: false });
    }

    #[test]
    fn a_telegram_in_two_parts_becomes_one_reading() {
        let mut memory = Memory::new(100);
        memory.judge(&reading(10, Some(1.0), None));
        let whole = reading(10, Some(1.0), Some(230.0));
        assert_eq!(memory.judge(&reading(10, None, Some(230.0))), Verdict::Merged(Arc::clone(&whole)));
        assert_eq!(memory.judge(&whole), Verdict::Known);
        assert_eq!(
            memory.judge(&reading(10, Some(7.0), Some(231.0))),
            Verdict::Known,
            "nothing of a contradicting part is taken"
        );
    }

    #[test]
    fn older_than_the_newest_is_late() {
        let mut memory = Memory::new(100);
        memory.remember(reading(20, Some(1.0), None));
        assert_eq!(memory.judge(&reading(15, Some(1.0), None)), Verdict::New { late: true });
        assert_eq!(memory.judge(&reading(21, Some(1.0), None)), Verdict::New { late: false });
        assert_eq!(memory.newest(), Some(Timestamp::from_micros(21_000_000)));
    }

    #[test]
    fn what_was_forgotten_is_never_brought_again() {
        let mut memory = Memory::new(3);
        for second in 1..=5 {
            memory.judge(&reading(second, Some(1.0), None));
        }
        assert_eq!(memory.judge(&reading(1, Some(1.0), None)), Verdict::Forgotten);
        assert_eq!(memory.judge(&reading(2, Some(1.0), None)), Verdict::Forgotten);
        assert_eq!(memory.judge(&reading(3, Some(1.0), None)), Verdict::Known);
    }
}
