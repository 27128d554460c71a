//! Which meters may be registered, and how fast.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use wattline_reading::meter_id::spelled;
use wattline_service::Budget;

/// Who may be registered, and how fast; shared by the writers of a process.
#[derive(Debug)]
pub(crate) struct Rules {
    allowed: Option<HashSet<String>>,
    new_per_minute_max: u32,
    /// By prefix. Those of no prefix have the names of their topics, which senders can't make up.
    budget: Mutex<Budget>,
}

/// In which the budget is spent.
const PERIOD: Duration = Duration::from_secs(60);

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
            anyhow::Ok(ids.map(|id| spelled(id).into_owned()).collect())
        };
        let allowed = allow_file.map(read).transpose()?;
        let budget = Mutex::new(Budget::new(f64::from(new_per_minute_max), PERIOD, Instant::now()));
        Ok(Self { allowed, new_per_minute_max, budget })
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
        ids.filter(|id| !budget.grant(prefix(id), 1.0, now)).map(str::to_owned).collect()
    }

    /// The setting that holds a new meter back, in words.
    pub(crate) fn budget_of(&self, id: &str) -> String {
        let per_minute = self.new_per_minute_max;
        match prefix(id) {
            Some(prefix) => format!(
                "meters.new_per_minute_max = {per_minute} lets in a minute, or under {prefix}/ than {}",
                Budget::share(f64::from(per_minute))
            ),
            None => format!("meters.new_per_minute_max = {per_minute} lets in a minute"),
        }
    }
}

/// What stands before the last slash: an id that a payload names has its topic's prefix before it.
fn prefix(id: &str) -> Option<&str> {
    id.rsplit_once('/').map(|(prefix, _)| prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_makes_ids_up_below_a_topic_leaves_the_most_to_others() {
        let rules = Rules::new(100, None).unwrap();
        let over = |prefix: &str, wanted: usize| {
            let ids: Vec<String> = (0..wanted).map(|number| format!("{prefix}{number}")).collect();
            rules.over_budget(ids.iter().map(String::as_str), Instant::now()).len()
        };
        assert_eq!((over("meter/evil/", 1000), over("tele/", 10), over("", 100)), (975, 0, 35));
        assert!(rules.budget_of("meter/evil/1").contains("under meter/evil/ than 25"));
    }

    #[test]
    fn an_allow_list_has_one_id_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# the street\nm-1\n\n m-2 \nKu\u{308}che\n").unwrap();
        let rules = Rules::new(1, Some(file.path())).unwrap();
        let allowed = rules.allowed.unwrap();
        assert_eq!(allowed, HashSet::from(["m-1", "m-2", "Küche"].map(str::to_owned)));
        let error = Rules::new(1, Some(Path::new("/no/such/file"))).unwrap_err();
        assert!(format!("{error:#}").contains("meters.allow_file"));
    }
}
