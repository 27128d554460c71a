//! How long a consumer is behind, from its positions alone.

use std::time::Instant;

/// A consumer's lag in seconds: how long ago the stream ended at a place that the consumer has not reached yet.
///
/// It remembers one end of the stream. While the consumer has not come to it, the lag is at least the time since that
/// end was seen; once it has, the present end is remembered. So a consumer that keeps up shows no more than the time
/// between two looks, and one that stands still shows how long it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct LagClock {
    seen: Option<(i64, Instant)>,
}

// === impl LagClock ===

impl LagClock {
    /// One look: the next offset to be done, and where the stream ends. The lag, in s.
    pub fn look(&mut self, next_offset: i64, end_offset: i64, now: Instant) -> f64 {
        match self.seen {
            Some((end, since)) if next_offset < end => now.saturating_duration_since(since).as_secs_f64(),
            _ => {
                self.seen = Some((end_offset, now));
                0.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn standing_still_shows_for_how_long() {
        let (mut clock, begin) = (LagClock::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        let looks = [(10, 10, 0, 0.0), (10, 30, 5, 0.0), (10, 80, 10, 5.0), (10, 90, 65, 60.0)];
        for (next, end, at, lag) in looks {
            assert_eq!(clock.look(next, end, after(at)), lag, "{next} of {end} after {at} s");
        }
        assert_eq!(clock.look(30, 95, after(70)), 0.0, "it got to where the stream ended at 5 s");
        assert_eq!(clock.look(94, 99, after(80)), 10.0, "and not yet to where it ended at 70 s");
        assert_eq!(clock.look(99, 99, after(90)), 0.0);
    }

    #[test]
    fn keeping_up_shows_nothing_though_there_is_always_something_new() {
        let (mut clock, begin) = (LagClock::default(), Instant::now());
        for second in 0_u32..100 {
            let end = i64::from(second) * 100;
            let lag = clock.look(end - 40, end, begin + Duration::from_secs(second.into()));
            assert!(lag <= 1.0, "{lag} s");
        }
    }
}
