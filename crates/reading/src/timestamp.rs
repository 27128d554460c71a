//! Instants, in whole microseconds since 1970-01-01T00:00:00Z.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// Before this instant (epoch 10^9) no device time is believed: it means "no clock".
pub const FIRST_PLAUSIBLE: Timestamp = Timestamp(1_000_000_000_000_000);
/// The last instant that is written with four digits of the year: 9999-12-31T23:59:59.999999Z.
const LAST: i64 = 253_402_300_799_999_999;

/// An instant in UTC, in µs since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A span in µs, in s.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "spans are far below 2^53 µs, 285 years")]
pub const fn seconds(span_us: i64) -> f64 {
    span_us as f64 / 1e6
}

// === impl Timestamp ===

impl Timestamp {
    /// From µs since 1970; instants outside of the years 1678 to 9999 are brought to that range.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros > LAST {
            Self(LAST)
        } else if micros < -9_214_560_000_000_000 {
            Self(-9_214_560_000_000_000)
        } else {
            Self(micros)
        }
    }

    /// µs since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The present. Only the border of a service calls this; everything behind takes the time as an argument.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// How long after `earlier` it is, in s; negative where it is before.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> f64 {
        seconds(self.0.saturating_sub(earlier.0))
    }

    /// An RFC 3339 time with its zone.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self::from_micros(time.timestamp_micros()))
    }

    /// The same instant for chrono.
    #[must_use]
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self::from_micros(time.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_in_seconds_and_has_a_sign() {
        let (early, late) = (Timestamp::from_micros(1_500_000), Timestamp::from_micros(4_000_000));
        assert!((late.seconds_since(early) - 2.5).abs() < 1e-9);
        assert!((early.seconds_since(late) + 2.5).abs() < 1e-9);
    }

    #[test]
    fn far_away_instants_stay_printable() {
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert!(!Timestamp::from_micros(i64::MIN).to_string().is_empty());
    }
}
