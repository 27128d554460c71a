//! How fast messages are taken: at a rate, or as fast as the broker acknowledges.

use std::time::{Duration, Instant};

/// The pace of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    gap: Option<Duration>,
    due: Instant,
}

/// A connection that fell behind (a broker was away) makes up for at most this much in one burst.
const CATCH_UP_MAX: Duration = Duration::from_millis(500);
/// Sleeping for less is not worth a wake-up: messages come in small bursts.
const BURST: Duration = Duration::from_millis(5);

// === impl Pace ===

impl Pace {
    /// As fast as possible.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { gap: None, due: Instant::now() }
    }

    /// So many messages per second, from now on.
    #[must_use]
    pub fn per_second(rate: f64) -> Self {
        Self { gap: Some(Duration::from_secs_f64(1.0 / rate.max(0.001))), due: Instant::now() }
    }

    /// True where one more may be sent now; it is then taken as sent.
    pub fn take(&mut self, now: Instant) -> bool {
        let Some(gap) = self.gap else { return true };
        if now < self.due {
            return false;
        }
        self.due = self.due.max(now.checked_sub(CATCH_UP_MAX).unwrap_or(now)) + gap;
        true
    }

    /// When it is worth asking again.
    #[must_use]
    pub fn next_due(&self) -> Instant {
        self.due + BURST.min(self.gap.unwrap_or(BURST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_and_a_gap_is_not_made_up_for_without_bound() {
        let mut pace = Pace::per_second(1000.0);
        let start = pace.due;
        let taken = |pace: &mut Pace, at: Instant| (0..10_000).take_while(|_| pace.take(at)).count();
        assert_eq!(taken(&mut pace, start), 1);
        assert_eq!(taken(&mut pace, start + Duration::from_millis(100)), 100);
        assert_eq!(taken(&mut pace, start + Duration::from_secs(60)), 501);
        assert!(Pace::unlimited().take(start));
    }
}
