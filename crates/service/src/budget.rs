//! So much in a time, together and for each prefix: whoever makes things up below a prefix of his own leaves the most of it
//! to others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Prefixes that are remembered.
const PREFIXES_MAX: usize = 10_000;

/// What may be spent in a period, of which one prefix may spend a quarter. It fills evenly, and is full at the start.
#[derive(Debug)]
pub struct Budget {
    all: Bucket,
    prefixes: HashMap<String, Bucket>,
    period: Duration,
}

/// Tokens, filled evenly.
#[derive(Debug)]
struct Bucket {
    full: f64,
    available: f64,
    filled_at: Instant,
}

// === impl Budget ===

impl Budget {
    /// So much in each `period`.
    #[must_use]
    pub fn new(full: f64, period: Duration, now: Instant) -> Self {
        Self { all: Bucket::new(full, now), prefixes: HashMap::new(), period }
    }

    /// What one prefix may spend in a period where all together may spend so much.
    #[must_use]
    pub fn share(full: f64) -> f64 {
        (full / 4.0).max(1.0)
    }

    /// Spends an amount now, if there is so much left. What belongs to no prefix spends of the whole alone.
    pub fn grant(&mut self, prefix: Option<&str>, amount: f64, now: Instant) -> bool {
        let Self { all, prefixes, period } = self;
        if !all.has(amount, *period, now) {
            return false;
        }
        let Some(prefix) = prefix else { return all.take(amount, *period, now) };
        if !prefixes.contains_key(prefix) {
            if prefixes.len() >= PREFIXES_MAX {
                prefixes.retain(|_, bucket| !bucket.is_full(*period, now));
            }
            if prefixes.len() >= PREFIXES_MAX {
                return false;
            }
            prefixes.insert(prefix.to_owned(), Bucket::new(Self::share(all.full), now));
        }
        // Of its own share first: what has none left takes nothing from the others.
        prefixes.get_mut(prefix).is_some_and(|bucket| bucket.take(amount, *period, now))
            && all.take(amount, *period, now)
    }
}

// === impl Bucket ===

impl Bucket {
    const fn new(full: f64, now: Instant) -> Self {
        Self { full, available: full, filled_at: now }
    }

    fn fill(&mut self, period: Duration, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.available = (self.available + passed * self.full / period.as_secs_f64()).min(self.full);
        self.filled_at = now;
    }

    fn is_full(&mut self, period: Duration, now: Instant) -> bool {
        self.fill(period, now);
        self.available >= self.full
    }

    fn has(&mut self, amount: f64, period: Duration, now: Instant) -> bool {
        self.fill(period, now);
        self.available >= amount
    }

    fn take(&mut self, amount: f64, period: Duration, now: Instant) -> bool {
        let granted = self.has(amount, period, now);
        if granted {
            self.available -= amount;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn it_fills_evenly_and_never_above_a_period() {
        let start = Instant::now();
        let mut budget = Budget::new(60.0, MINUTE, start);
        let mut granted = |seconds, wanted: usize| {
            let now = start + Duration::from_secs(seconds);
            (0..wanted).filter(|_| budget.grant(None, 1.0, now)).count()
        };
        assert_eq!((granted(0, 50), granted(0, 50)), (50, 10));
        assert_eq!((granted(3, 5), granted(3600, 100)), (3, 60));
    }

    #[test]
    fn a_prefix_leaves_the_most_to_others() {
        let start = Instant::now();
        let mut budget = Budget::new(100.0, MINUTE, start);
        let mut granted = |prefix: Option<&str>, wanted: usize| {
            (0..wanted).filter(|_| budget.grant(prefix, 1.0, start)).count()
        };
        let found = (granted(Some("meter/evil"), 1000), granted(Some("tele"), 10), granted(None, 100));
        assert_eq!(found, (25, 10, 65));
    }

    #[test]
    fn amounts_are_spent_whole_or_not_at_all() {
        let start = Instant::now();
        let mut budget = Budget::new(400.0, MINUTE, start);
        let mut granted = |amount| budget.grant(Some("a"), amount, start);
        assert_eq!([granted(60.0), granted(60.0), granted(40.0), granted(1.0)], [true, false, true, false]);
    }

    #[test]
    fn made_up_prefixes_are_remembered_up_to_a_number() {
        let start = Instant::now();
        let mut budget = Budget::new(1e6, MINUTE, start);
        let granted = |budget: &mut Budget, numbers: std::ops::Range<usize>, now| {
            numbers.filter(|number| budget.grant(Some(&number.to_string()), 1.0, now)).count()
        };
        assert_eq!(granted(&mut budget, 0..PREFIXES_MAX + 100, start), PREFIXES_MAX);
        assert_eq!(
            granted(&mut budget, PREFIXES_MAX..PREFIXES_MAX + 100, start + MINUTE),
            100,
            "those that are full again give way"
        );
    }
}
