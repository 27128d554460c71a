//! A count that only grows, and how long it did not: what a gap is measured by. Pure; the time is an argument.

use std::time::{Duration, Instant};

/// A count that only grows, and the longest times in which it did not.
#[derive(Clone, Copy, Debug)]
pub struct Rise {
    began_at: Instant,
    /// What was there at the first look is no rise.
    count: Option<u64>,
    rose_at: Option<Instant>,
    /// Since the last mark.
    longest: Duration,
    longest_ever: Duration,
    ended: bool,
}

/// The longest time without a rise since the mark before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long it was; where it is running, how long it is by now.
    pub longest: Duration,
    /// Whether it has not ended yet.
    pub running: bool,
}

// === impl Rise ===

impl Rise {
    /// Looked at from `now` on.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            began_at: now,
            count: None,
            rose_at: None,
            longest: Duration::ZERO,
            longest_ever: Duration::ZERO,
            ended: false,
        }
    }

    /// Takes a look. A smaller count is no rise: a database may come back without what it had last.
    pub fn see(&mut self, count: u64, now: Instant) {
        let before = *self.count.get_or_insert(count);
        if self.ended || count <= before {
            return;
        }
        self.count = Some(count);
        if let Some(before) = self.rose_at.replace(now) {
            self.longest = self.longest.max(now.saturating_duration_since(before));
            self.longest_ever = self.longest_ever.max(self.longest);
        }
    }

    /// The count at the last rise; `None` before the first look.
    #[must_use]
    pub const fn count(&self) -> Option<u64> {
        self.count
    }

    /// Gives the longest pause since the mark before and begins anew. A pause that is running counts, and in the next
    /// measurement it counts again from its own beginning.
    pub fn mark(&mut self, now: Instant) -> Pause {
        let pause = self.pause(self.longest, now);
        self.longest = Duration::ZERO;
        pause
    }

    /// The longest pause of all, whatever was marked.
    #[must_use]
    pub fn so_far(&self, now: Instant) -> Pause {
        self.pause(self.longest_ever, now)
    }

    /// From now on nothing is expected to rise, so no pause is running.
    pub const fn end(&mut self) {
        self.ended = true;
    }

    /// Before the first rise it runs from the beginning, and ends without being counted: publishers have to connect first.
    fn pause(&self, longest: Duration, now: Instant) -> Pause {
        let running = now.saturating_duration_since(self.rose_at.unwrap_or(self.began_at));
        if self.ended || running <= longest {
            return Pause { longest, running: false };
        }
        Pause { longest: running, running: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_longest_pause_between_two_rises_counts() {
        let start = Instant::now();
        let mut rise = Rise::new(start);
        for (at, count) in [(0, 5), (500, 6), (520, 7), (530, 8), (600, 3), (610, 9)] {
            rise.see(count, start + ms(at));
        }
        let now = start + ms(611);
        assert_eq!(rise.so_far(now), Pause { longest: ms(80), running: false }, "a smaller count is no rise");
        assert_eq!(rise.count(), Some(9));
    }

    #[test]
    fn a_mark_counts_what_is_running_and_leaves_its_beginning_to_the_next() {
        let start = Instant::now();
        let mut rise = Rise::new(start);
        rise.see(0, start);
        rise.see(1, start + ms(100));
        rise.see(2, start + ms(150));
        assert_eq!(rise.mark(start + ms(1150)), Pause { longest: ms(1000), running: true });
        assert_eq!(rise.mark(start + ms(1250)), Pause { longest: ms(1100), running: true });
        rise.see(3, start + ms(3150));
        assert_eq!(rise.mark(start + ms(3160)), Pause { longest: ms(3000), running: false });
        rise.see(4, start + ms(3170));
        assert_eq!(rise.mark(start + ms(3170)), Pause { longest: ms(20), running: false });
        assert_eq!(rise.so_far(start + ms(3170)).longest, ms(3000));
    }

    #[test]
    fn before_the_first_rise_the_time_since_the_beginning_runs() {
        let start = Instant::now();
        let mut rise = Rise::new(start);
        rise.see(7, start + ms(10));
        assert_eq!(rise.mark(start + ms(400)), Pause { longest: ms(400), running: true });
        rise.see(8, start + ms(500));
        assert_eq!(rise.so_far(start + ms(500)), Pause { longest: Duration::ZERO, running: false });
    }

    #[test]
    fn after_the_end_nothing_runs() {
        let start = Instant::now();
        let mut rise = Rise::new(start);
        rise.see(0, start);
        rise.see(1, start + ms(1));
        rise.end();
        assert_eq!(rise.mark(start + ms(900)), Pause { longest: Duration::ZERO, running: false });
    }
}
