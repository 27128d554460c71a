//! A route's time policy: which instant a reading gets from its device's time (ENERGY.md T1, T2).

use chrono::{LocalResult, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use serde::Deserialize;
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{Reason, Timestamp, TsSource};

use crate::decode::time::DeviceTime;

/// Whose time counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TimePolicy {
    /// The device's, where it has a clock; one that is unreadable or not plausible is refused.
    #[default]
    Device,
    /// Arrival, always.
    Arrival,
    /// The device's where it is plausible, else arrival.
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
    /// True where a decoder's own fast reading of the time gives the same.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self.policy == TimePolicy::Device && self.zone.is_none()
    }

    /// The event time of a draft.
    ///
    /// # Errors
    /// `ts_unreadable` where the device's time counts and can't be read.
    pub fn resolve(
        self,
        time: &DeviceTime,
        received_at: Timestamp,
        limits: &Limits,
    ) -> Result<(Timestamp, TsSource), Refusal> {
        if self.policy == TimePolicy::Arrival {
            return Ok((received_at, TsSource::Arrival));
        }
        let instant = match time {
            DeviceTime::Absent => None,
            DeviceTime::At(ts) => Some(*ts),
            DeviceTime::Local(local) => self.instant(*local, received_at),
            DeviceTime::Unreadable(_) if self.policy == TimePolicy::DeviceIfPlausible => None,
            DeviceTime::Unreadable(shown) => {
                let detail = format!("the device's time can't be read: {shown}");
                return Err(refuse(Reason::TsUnreadable, detail));
            }
        };
        let believed = instant
            .filter(|ts| self.policy == TimePolicy::Device || limits.is_plausible_time(*ts, received_at));
        Ok(believed.map_or((received_at, TsSource::Arrival), |ts| (ts, TsSource::Device)))
    }

    /// The instant of a register's beginning, where it can be said; it is never refused.
    #[must_use]
    pub fn epoch(self, time: &DeviceTime, received_at: Timestamp) -> Option<Timestamp> {
        match time {
            DeviceTime::At(ts) => Some(*ts),
            DeviceTime::Local(local) => self.instant(*local, received_at),
            DeviceTime::Absent | DeviceTime::Unreadable(_) => None,
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
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn resolve(
        policy: TimePolicy,
        zone: Option<Tz>,
        text: &str,
        now: &str,
    ) -> Result<(String, TsSource), Reason> {
        let timing = Timing { policy, zone };
        let time = DeviceTime::from_text(text);
        let resolved = timing.resolve(&time, at(now), &Limits::default());
        resolved.map(|(ts, source)| (ts.to_string(), source)).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_local_time_needs_the_routes_zone() {
        let now = "2026-11-20T10:00:30Z";
        let zone = Some(Tz::Europe__Berlin);
        let device = |ts: &str| Ok((ts.to_owned(), TsSource::Device));
        let arrival = Ok((now.to_owned(), TsSource::Arrival));
        assert_eq!(resolve(TimePolicy::Device, None, "2026-11-20T11:00:00", now), arrival);
        assert_eq!(
            resolve(TimePolicy::Device, zone, "2026-11-20T11:00:00", now),
            device("2026-11-20T10:00:00Z")
        );
        assert_eq!(resolve(TimePolicy::Arrival, zone, "2026-11-20T11:00:00", now), arrival);
        assert_eq!(resolve(TimePolicy::Device, zone, "yesterday", now), Err(Reason::TsUnreadable));
        for text in ["yesterday", "2026-11-20T12:00:00Z", "2010-01-01T00:00:00Z", "0"] {
            assert_eq!(resolve(TimePolicy::DeviceIfPlausible, zone, text, now), arrival, "{text}");
        }
    }

    #[test]
    fn the_hours_of_the_change_of_clocks() {
        let zone = Some(Tz::Europe__Berlin);
        let source = |text: &str, now: &str| resolve(TimePolicy::Device, zone, text, now).unwrap();
        let twice = "2026-10-25T02:30:00";
        assert_eq!(source(twice, "2026-10-25T00:31:00Z").0, "2026-10-25T00:30:00Z");
        assert_eq!(source(twice, "2026-10-25T01:31:00Z").0, "2026-10-25T01:30:00Z");
        let skipped = "2026-03-29T02:30:00";
        assert_eq!(source(skipped, "2026-03-29T01:31:00Z").1, TsSource::Arrival);
    }
}
