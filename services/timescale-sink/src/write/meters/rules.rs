//! Which meters may be registered, and how fast.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;

/// Who may be registered, and how fast; shared by the writers of a process.
#[derive(Debug)]
pub(crate) struct Rules {
    allowed: Option<HashSet<String>>,
    budget: Mutex<Budget>,
}

/// A bucket of tokens, filled evenly, full at the start.
#[derive(Debug)]
struct Budget {
    per_minute: u32,
    available: f64,
    filled_at: Instant,
}

// === impl Rules ===

impl Rules {
    /// From the settings; reads the allow-list.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub(crate) fn new(new_per_minute_max: u32, allow_file: Option<&Path>) -> anyhow::Result<Self> {
        let read = |file: &Path| {
            let text = std::fs::read_to_string(file).with_context(|| {
                format!("cannot read the allow-list {} (meters.allow_file)", file.display())
            })?;
            let ids = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            anyhow::Ok(ids.map(str::to_owned).collect())
        };
        let allowed = allow_file.map(read).transpose()?;
        let budget = Mutex::new(Budget {
            per_minute: new_per_minute_max,
            available: f64::from(new_per_minute_max),
            filled_at: Instant::now(),
        });
        Ok(Self { allowed, budget })
    }

    /// Whether a meter may be registered.
    pub(crate) fn allow(&self, meter_id: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(meter_id))
    }

    /// Grants at most `wanted` registrations; where that is less, also says how long it takes until there are more.
    pub(crate) fn grant(&self, wanted: usize, now: Instant) -> (usize, Option<Duration>) {
        self.budget.lock().take(wanted, now)
    }
}

// === impl Budget ===

impl Budget {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small numbers, never negative"
    )]
    fn take(&mut self, wanted: usize, now: Instant) -> (usize, Option<Duration>) {
        let per_second = f64::from(self.per_minute) / 60.0;
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.available = (self.available + passed * per_second).min(f64::from(self.per_minute));
        self.filled_at = now;
        let granted = wanted.min(self.available as usize);
        self.available -= granted as f64;
        let missing = wanted - granted;
        let wait =
            (missing > 0).then(|| Duration::from_secs_f64((missing as f64 / per_second).clamp(0.05, 2.0)));
        (granted, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_fills_evenly_and_never_above_a_minute() {
        let start = Instant::now();
        let mut budget = Budget { per_minute: 60, available: 60.0, filled_at: start };
        assert_eq!(budget.take(50, start), (50, None));
        let (granted, wait) = budget.take(50, start);
        assert_eq!((granted, wait), (10, Some(Duration::from_secs(2))));
        assert_eq!(budget.take(2, start + Duration::from_secs(3)), (2, None));
        assert_eq!(budget.take(100, start + Duration::from_secs(3600)).0, 60);
    }

    #[test]
    fn an_allow_list_has_one_id_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# the street\nm-1\n\n m-2 \n").unwrap();
        let rules = Rules::new(1, Some(file.path())).unwrap();
        let allowed = rules.allowed.unwrap();
        assert_eq!(allowed, HashSet::from(["m-1".to_owned(), "m-2".to_owned()]));
        let error = Rules::new(1, Some(Path::new("/no/such/file"))).unwrap_err();
        assert!(format!("{error:#}").contains("meters.allow_file"));
    }
}
