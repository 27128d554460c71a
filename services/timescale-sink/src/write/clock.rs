//! How far a meter's clock is off. Arrival less the device's time is the offset of its clock and the delay of the way
//! together. A delay is never negative, so the smallest difference of some minutes is the best that can be said:
//! buffered, late and repeated readings only have larger ones. Negative: the device runs ahead. Pure.

use wattline_reading::{Reading, TsSource};

/// The smallest difference counts for one to two of these, by arrival.
const WINDOW_US: i64 = 300_000_000;
/// Nothing was measured.
const NONE: i64 = i64::MAX;

/// What is known of one meter's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Arrival of the first reading of this window.
    since_us: i64,
    smallest_us: i64,
    /// Of the window before.
    before_us: i64,
}

// === impl Clock ===

impl Default for Clock {
    fn default() -> Self {
        Self { since_us: i64::MIN, smallest_us: NONE, before_us: NONE }
    }
}

impl Clock {
    /// One reading. What arrived before the present window, as a replayed dead letter, says nothing of the clock now.
    pub(crate) fn observe(&mut self, reading: &Reading) {
        let arrival_us = reading.received_at.micros();
        if reading.ts_source != TsSource::Device || arrival_us < self.since_us {
            return;
        }
        let age_us = arrival_us.saturating_sub(self.since_us);
        if age_us >= WINDOW_US {
            self.before_us = if age_us < 2 * WINDOW_US { self.smallest_us } else { NONE };
            self.smallest_us = NONE;
            self.since_us = arrival_us;
        }
        self.smallest_us = self.smallest_us.min(arrival_us.saturating_sub(reading.ts.micros()));
    }

    /// Arrival less device time in ms, at least; `None` where the device has sent no time.
    #[must_use]
    pub(crate) fn offset_ms(&self) -> Option<i64> {
        let offset_us = self.smallest_us.min(self.before_us);
        (offset_us != NONE).then(|| offset_us.div_euclid(1000))
    }
}

/// How far off a clock is, in a word for metrics.
#[must_use]
pub(crate) const fn class(offset_ms: i64) -> &'static str {
    match offset_ms {
        ..-60_000 => "far_ahead",
        -60_000..-2_000 => "ahead",
        -2_000..=10_000 => "right",
        10_001..=300_000 => "behind",
        _ => "far_behind",
    }
}

#[cfg(test)]
mod tests {
    use wattline_reading::{Measures, Timestamp};

    use super::*;

    const T0: i64 = 1_795_168_800;

    /// A reading that arrives so many seconds after [`T0`] with a time of the device so many ms before that.
    fn reading(arrival_s: i64, behind_ms: i64) -> Reading {
        let arrival_us = (T0 + arrival_s) * 1_000_000;
        Reading {
            received_at: Timestamp::from_micros(arrival_us),
            ..Reading::new(
                "m",
                Timestamp::from_micros(arrival_us - behind_ms * 1000),
                Measures { power_w: Some(1.0), ..Measures::default() },
            )
        }
    }

    fn offset_ms(readings: &[(i64, i64)]) -> Option<i64> {
        let mut clock = Clock::default();
        for (arrival_s, behind_ms) in readings {
            clock.observe(&reading(*arrival_s, *behind_ms));
        }
        clock.offset_ms()
    }

    #[test]
    fn buffered_and_late_readings_say_nothing() {
        assert_eq!(offset_ms(&[]), None);
        // An outage of an hour: its readings come with the newest one, in any order.
        assert_eq!(
            offset_ms(&[(0, 3_600_000), (0, 250), (0, 1_800_000), (10, 260), (20, 90_000)]),
            Some(250)
        );
        // The device runs an hour ahead.
        assert_eq!(offset_ms(&[(0, -3_599_800), (10, -3_599_700)]), Some(-3_599_800));
        assert_eq!(offset_ms(&[(0, -1)]), Some(-1));
    }

    #[test]
    fn a_clock_that_was_set_is_seen_as_set_after_some_minutes() {
        let ahead = [(0, -5000), (60, -5000)];
        let with = |more: &[(i64, i64)]| offset_ms(&[&ahead[..], more].concat());
        assert_eq!(with(&[(120, 200), (310, 200)]), Some(-5000), "at least five minutes");
        assert_eq!(with(&[(120, 200), (310, 200), (620, 210)]), Some(200), "at most ten");
        assert_eq!(with(&[(700, 210)]), Some(210), "or at once after a pause");
        assert_eq!(with(&[(120, -90_000)]), Some(-90_000), "ahead is seen at once");
    }

    #[test]
    fn a_replayed_letter_says_nothing_of_the_present() {
        assert_eq!(offset_ms(&[(1000, 200), (0, -4000)]), Some(200));
    }

    #[test]
    fn a_time_of_arrival_is_no_clock() {
        let mut clock = Clock::default();
        clock.observe(&Reading { ts_source: TsSource::Arrival, ..reading(0, 0) });
        assert_eq!(clock.offset_ms(), None);
    }

    #[test]
    fn classes_have_no_holes() {
        for (offset_ms, expected) in [
            (i64::MIN, "far_ahead"),
            (-60_001, "far_ahead"),
            (-60_000, "ahead"),
            (-2001, "ahead"),
            (-2000, "right"),
            (10_000, "right"),
            (10_001, "behind"),
            (300_001, "far_behind"),
        ] {
            assert_eq!(class(offset_ms), expected, "{offset_ms}");
        }
    }
}
