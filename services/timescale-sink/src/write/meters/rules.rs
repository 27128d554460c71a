//! Which meters may be registered, and how fast.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use parking_lot::Mutex;

/// Who may be registered, and how fast; shared by the writers of a process.
#[derive(Debug)]
pub(crate) struct Rules {
    allowed: Option<HashSet<String>>,
    budget: Mutex<Budget>,
}

/// How many new meters there may be: together, and of each prefix, so that whoever makes ids up below a topic of his own
/// leaves the most of it to others.
#[derive(Debug)]
struct Budget {
    now: Instant,
    all: Bucket,
    /// By prefix. Those of no prefix have the names of their topics, which senders can't make up.
    prefixes: HashMap<String, Bucket>,
}

/// A bucket of tokens, filled evenly, full at the start.
#[derive(Debug)]
struct Bucket {
    per_minute: u32,
    available: f64,
    filled_at: Instant,
}

/// Prefixes that are remembered.
const PREFIXES_MAX: usize = 10_000;

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
        Ok(Self { allowed, budget: Mutex::new(Budget::new(new_per_minute_max, Instant::now())) })
    }

    /// Whether a meter may be registered.
    pub(crate) fn allow(&self, meter_id: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(meter_id))
    }

    /// Takes new meters out of the budget; gives those for which there is none.
    pub(crate) fn over_budget<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        now: Instant,
    ) -> HashSet<String> {
        let mut budget = self.budget.lock();
        budget.now = now;
        ids.filter(|id| !budget.grant(id)).map(str::to_owned).collect()
    }

    /// The setting that holds a new meter back, in words.
    pub(crate) fn budget_of(&self, id: &str) -> String {
        let per_minute = self.budget.lock().all.per_minute;
        match prefix(id) {
            Some(prefix) => format!(
                "meters.new_per_minute_max = {per_minute} lets in a minute, or under {prefix}/ than {}",
                share(per_minute)
            ),
            None => format!("meters.new_per_minute_max = {per_minute} lets in a minute"),
        }
    }
}

/// What stands before the last slash: an id that a payload names has its topic's prefix before it.
fn prefix(id: &str) -> Option<&str> {
    id.rsplit_once('/').map(|(prefix, _)| prefix)
}

/// Of one prefix.
fn share(per_minute: u32) -> u32 {
    (per_minute / 4).max(1)
}

// === impl Budget ===

impl Budget {
    fn new(per_minute: u32, now: Instant) -> Self {
        Self { now, all: Bucket::new(per_minute, now), prefixes: HashMap::new() }
    }

    /// Whether a meter may be registered now.
    fn grant(&mut self, id: &str) -> bool {
        let Self { now, all, prefixes } = self;
        if !all.has_some(*now) {
            return false;
        }
        let Some(prefix) = prefix(id) else { return all.take(*now) };
        if !prefixes.contains_key(prefix) {
            if prefixes.len() >= PREFIXES_MAX {
                prefixes.retain(|_, bucket| !bucket.is_full(*now));
            }
            if prefixes.len() >= PREFIXES_MAX {
                return false;
            }
            prefixes.insert(prefix.to_owned(), Bucket::new(share(all.per_minute), *now));
        }
        // Of its own share first: what has none left takes nothing from the others.
        prefixes.get_mut(prefix).is_some_and(|bucket| bucket.take(*now)) && all.take(*now)
    }
}

// === impl Bucket ===

impl Bucket {
    fn new(per_minute: u32, now: Instant) -> Self {
        Self { per_minute, available: f64::from(per_minute), filled_at: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        let full = f64::from(self.per_minute);
        self.available = (self.available + passed * full / 60.0).min(full);
        self.filled_at = now;
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.available >= f64::from(self.per_minute)
    }

    fn has_some(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.available >= 1.0
    }

    fn take(&mut self, now: Instant) -> bool {
        let granted = self.has_some(now);
        self.available -= f64::from(u8::from(granted));
        granted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_budget_fills_evenly_and_never_above_a_minute() {
        let start = Instant::now();
        let mut budget = Budget::new(60, start);
        let mut granted = |seconds, wanted: usize| {
            budget.now = start + Duration::from_secs(seconds);
            (0..wanted).filter(|number| budget.grant(&format!("m-{number}"))).count()
        };
        assert_eq!((granted(0, 50), granted(0, 50)), (50, 10));
        assert_eq!((granted(3, 5), granted(3600, 100)), (3, 60));
    }

    #[test]
    fn a_prefix_leaves_the_most_to_others() {
        let start = Instant::now();
        let mut budget = Budget::new(100, start);
        let mut granted = |prefix: &str, wanted: usize| {
            (0..wanted).filter(|number| budget.grant(&format!("{prefix}{number}"))).count()
        };
        assert_eq!((granted("meter/evil/", 1000), granted("tele/", 10), granted("", 100)), (25, 10, 65));
    }

    #[test]
    fn made_up_prefixes_are_remembered_up_to_a_number() {
        let start = Instant::now();
        let mut budget = Budget::new(1_000_000, start);
        let granted = |budget: &mut Budget, numbers: std::ops::Range<usize>| {
            numbers.filter(|number| budget.grant(&format!("{number}/m"))).count()
        };
        assert_eq!(granted(&mut budget, 0..PREFIXES_MAX + 100), PREFIXES_MAX);
        budget.now = start + Duration::from_secs(60);
        assert_eq!(
            granted(&mut budget, PREFIXES_MAX..PREFIXES_MAX + 100),
            100,
            "those that are full again give way"
        );
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
