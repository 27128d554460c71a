//! Whose time readings have and why, counted by route: a device's clock that is wrong, or in local time, is seen here
//! even where the policy makes readings of its messages.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a reading's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// The device's time.
    Device,
    /// The device's, which is far behind arrival: a buffered reading, or a clock that is slow or in local time.
    DeviceBehind,
    /// Arrival: the message has no time.
    Absent,
    /// Arrival: the device hasn't set its clock (0, 1970).
    Unset,
    /// Arrival: a local time, and the route has no `time_zone`.
    NoZone,
    /// Arrival: a local time that the change of clocks skipped.
    Skipped,
    /// Arrival, as the route's policy says.
    Policy,
    /// Arrival, in place of a time too far ahead.
    Ahead,
    /// Arrival, in place of a time older than raw retention.
    TooOld,
    /// Refused: the time can't be read.
    RefusedUnreadable,
    /// Refused: too far ahead of arrival.
    RefusedAhead,
    /// Refused: older than raw retention.
    RefusedTooOld,
}

/// How often each of them was met on one route.
#[derive(Debug, Default)]
pub struct Clocks([AtomicU64; Clock::ALL.len()]);

// === impl Clock ===

impl Clock {
    /// Every one of them, in the order of the declaration.
    pub const ALL: [Self; 12] = [
        Self::Device,
        Self::DeviceBehind,
        Self::Absent,
        Self::Unset,
        Self::NoZone,
        Self::Skipped,
        Self::Policy,
        Self::Ahead,
        Self::TooOld,
        Self::RefusedUnreadable,
        Self::RefusedAhead,
        Self::RefusedTooOld,
    ];

    /// The word that metrics carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::DeviceBehind => "device_behind",
            Self::Absent => "arrival_absent",
            Self::Unset => "arrival_unset",
            Self::NoZone => "arrival_no_zone",
            Self::Skipped => "arrival_skipped_hour",
            Self::Policy => "arrival_policy",
            Self::Ahead => "arrival_ahead",
            Self::TooOld => "arrival_too_old",
            Self::RefusedUnreadable => "refused_unreadable",
            Self::RefusedAhead => "refused_ahead",
            Self::RefusedTooOld => "refused_too_old",
        }
    }
}

// === impl Clocks ===

impl Clocks {
    /// Counts one.
    pub(crate) fn count(&self, clock: Clock) {
        self.0[clock as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Those that were met, and how often.
    pub fn counts(&self) -> impl Iterator<Item = (Clock, u64)> + '_ {
        let counts = Clock::ALL.into_iter().zip(&self.0);
        counts.map(|(clock, count)| (clock, count.load(Ordering::Relaxed))).filter(|(_, count)| *count > 0)
    }
}
