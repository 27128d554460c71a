//! A route's time policy: which instant a reading gets from its device's time.

use chrono::{LocalResult, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use serde::Deserialize;
use wattline_formats::time::DeviceTime;
use wattline_reading::Timestamp;
use wattline_reading::limits::Limits;

use crate::clocks::Clock;

/// A device's time that is further behind arrival than this is counted apart.
const BEHIND_US: i64 = 300 * 1_000_000;

/// Whose time counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TimePolicy {
    /// The device's, where it has a clock; one that is not plausible is refused.
    Device,
    /// Arrival, always.
    Arrival,
    /// The device's where it is plausible, else arrival; of a message with several instants of one meter, and of a
    /// retained one, it is refused all the same: arrival says nothing of them.
    #[default]
    DeviceIfPlausible,
}

/// The policy, ready for use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    pub(super) policy: TimePolicy,
    pub(super) zone: Option<Tz>,
}

// === impl Timing ===

impl Timing {
    /// True where a local time can be made an instant.
    #[must_use]
    pub const fn has_zone(self) -> bool {
        self.zone.is_some()
    }

    /// The event time of a draft, and which case it is. `alone`: the message was just sent, and says each measure of its
    /// meter once. A time that is refused for being too far ahead or too old is
    /// given all the same: the check of the limits says how far.
    pub(super) fn choose(
        self,
        time: &DeviceTime,
        alone: bool,
        received_at: Timestamp,
        limits: &Limits,
    ) -> (Clock, Option<Timestamp>) {
        if self.policy == TimePolicy::Arrival {
            return (Clock::Policy, None);
        }
        let lenient = alone && self.policy == TimePolicy::DeviceIfPlausible;
        let ts = match time {
            DeviceTime::Absent => return (Clock::Absent, None),
            DeviceTime::Unset => return (Clock::Unset, None),
            DeviceTime::Unreadable(_) => return (Clock::RefusedUnreadable, None),
            DeviceTime::At(ts) => *ts,
            DeviceTime::Local(_) if self.zone.is_none() => return (Clock::NoZone, None),
            DeviceTime::Local(local) => match self.instant(*local, received_at) {
                Some(ts) => ts,
                None => return (Clock::Skipped, None),
            },
        };
        match (limits.is_plausible_time(ts, received_at), ts > received_at) {
            (true, _) if received_at.micros() - ts.micros() > BEHIND_US => (Clock::DeviceBehind, Some(ts)),
            (true, _) => (Clock::Device, Some(ts)),
            (false, true) if lenient => (Clock::Ahead, None),
            (false, false) if lenient => (Clock::TooOld, None),
            (false, true) => (Clock::RefusedAhead, Some(ts)),
            (false, false) => (Clock::RefusedTooOld, Some(ts)),
        }
    }

    /// The instant of a register's beginning, where it can be said; it is never refused.
    #[must_use]
    pub fn epoch(self, time: &DeviceTime, received_at: Timestamp) -> Option<Timestamp> {
        match time {
            DeviceTime::At(ts) => Some(*ts),
            DeviceTime::Local(local) => self.instant(*local, received_at),
            DeviceTime::Absent | DeviceTime::Unset | DeviceTime::Unreadable(_) => None,
        }
        .filter(|ts| *ts <= received_at)
    }

    /// A local time as an instant: of two the one nearer to arrival, none where the clocks skipped it.
    fn instant(self, local: NaiveDateTime, received_at: Timestamp) -> Option<Timestamp> {
        let ts = |micros| Timestamp::from_micros(micros);
        match self.zone?.from_local_datetime(&local) {
            LocalResult::None => None,
            LocalResult::Single(time) => Some(ts(time.timestamp_micros())),
            LocalResult::Ambiguous(one, other) => {
                let (one, other) = (one.timestamp_micros(), other.timestamp_micros());
                let distance = |micros: i64| micros.abs_diff(received_at.micros());
                Some(ts(if distance(one) <= distance(other) { one } else { other }))
            }
        }
    }
}

#[cfg(test)]
#[path = "timing_tests.rs"]
mod tests;
