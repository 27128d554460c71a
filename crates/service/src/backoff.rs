//! How long to wait before the next try: doubling, bounded, with jitter, so that replicas don't come in step.

use std::time::Duration;

/// A series of waits.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// Waits from `first`, doubled each time, to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next wait: between half of and the whole step.
    pub fn next_wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.longest);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Sleeps for the next wait.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_wait()).await;
    }

    /// Begins anew, after a success.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

impl Default for Backoff {
    /// From 100 ms to 10 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_do_not_come_in_step() {
        let wait = || Backoff::default().next_wait();
        let waits: std::collections::BTreeSet<Duration> = (0..50).map(|_| wait()).collect();
        assert!(waits.len() > 10, "{} different waits of 50", waits.len());
        assert!(waits.iter().all(|wait| (50..=100).contains(&wait.as_millis())), "{waits:?}");
    }

    #[test]
    fn waits_grow_to_the_bound_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for step_ms in [100, 200, 350, 350] {
            let wait = backoff.next_wait();
            assert!(wait >= Duration::from_millis(step_ms / 2) && wait <= Duration::from_millis(step_ms));
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }
}
