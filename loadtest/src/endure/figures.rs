//! What it says of itself, as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gap::Marked;

/// What came of it: nothing was lost, doubled or different.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Endured {
    /// Readings that had to be stored.
    pub sent: u64,
    /// Readings that were read back, once each and with their values.
    pub stored_once: u64,
    /// Contradictions that were put aside with both sides.
    pub conflicts: u64,
    /// Messages that are no reading, each of which is among the dead letters.
    pub dead_letters: u64,
    /// Messages that were published again after a reconnect.
    pub resent: u64,
    /// Connections to the broker that were lost.
    pub reconnects: u64,
    /// The longest time without a record that became visible in the database.
    pub gap_stored_s: f64,
    /// The longest time without a PUBACK.
    pub gap_acknowledged_s: f64,
    /// How long all of it took.
    pub seconds: f64,
}

/// The longest gaps of a time, each with whether it is still running: then it is as long as it is by now.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Marks {
    /// Without a record that became visible in the database.
    pub stored_s: f64,
    /// No record has become visible since.
    pub stored_running: bool,
    /// Without a PUBACK.
    pub acknowledged_s: f64,
    /// No PUBACK has come since.
    pub acknowledged_running: bool,
}

/// Where it is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct SoFar {
    /// It has been told to end, and waits until everything is stored.
    pub settling: bool,
    /// Messages.
    pub published: u64,
    /// Messages that the broker has taken.
    pub acknowledged: u64,
    /// Records with an outcome in the store, those of others included.
    pub stored: u64,
    /// The longest gaps so far, whatever was marked.
    pub gaps: Marks,
}

// === impl Marks ===

impl From<Marked> for Marks {
    fn from(Marked { stored, acknowledged }: Marked) -> Self {
        Self {
            stored_s: seconds(stored.longest),
            stored_running: stored.running,
            acknowledged_s: seconds(acknowledged.longest),
            acknowledged_running: acknowledged.running,
        }
    }
}

/// Whole milliseconds: what is measured is no more precise.
pub(super) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rise::Pause;

    #[test]
    fn what_is_running_is_said_clearly() {
        let marked = Marked {
            stored: Pause { longest: Duration::from_micros(3_210_499), running: true },
            acknowledged: Pause { longest: Duration::from_millis(40), running: false },
        };
        assert_eq!(
            serde_json::to_string(&Marks::from(marked)).unwrap(),
            r#"{"stored_s":3.21,"stored_running":true,"acknowledged_s":0.04,"acknowledged_running":false}"#
        );
    }
}
