//! Whose time readings have and why, counted by route: a device's clock that is wrong, or in local time, is seen here
//! even where the policy makes readings of its messages.

use std::sync::atomic::{AtomicU64, Ordering};

use strum::{IntoStaticStr, VariantArray};

/// What became of a reading's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Clock {
    /// The device's time.
    Device,
    /// The device's, which is far behind arrival: a buffered reading, or a clock that is slow or in local time.
    DeviceBehind,
    /// Arrival: the message has no time.
    #[strum(serialize = "arrival_absent")]
    Absent,
    /// Arrival: the device hasn't set its clock (0, 1970).
    #[strum(serialize = "arrival_unset")]
    Unset,
    /// Arrival: a local time, and the route has no `time_zone`.
    #[strum(serialize = "arrival_no_zone")]
    NoZone,
    /// Arrival: a local time that the change of clocks skipped.
    #[strum(serialize = "arrival_skipped_hour")]
    Skipped,
    /// Arrival, as the route's policy says.
    #[strum(serialize = "arrival_policy")]
    Policy,
    /// Arrival, in place of a time too far ahead.
    #[strum(serialize = "arrival_ahead")]
    Ahead,
    /// Arrival, in place of a time older than raw retention.
    #[strum(serialize = "arrival_too_old")]
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
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word that metrics carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
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
        let counts = Clock::ALL.iter().copied().zip(&self.0);
        counts.map(|(clock, count)| (clock, count.load(Ordering::Relaxed))).filter(|(_, count)| *count > 0)
    }
}
