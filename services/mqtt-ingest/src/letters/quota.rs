//! How many bytes of dead letters there may be: whoever may publish could fill the disks of Kafka and the database with them.

use std::time::{Duration, Instant};

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use tracing::error;
use wattline_service::Budget;

const HOUR: Duration = Duration::from_secs(3600);
/// Between two lines that say it.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// What a letter costs beside payload and topic: its words, its row, its place in the index.
const LETTER_BYTES: usize = 512;

/// Section `[dead_letters]`.
#[derive(Clone, Copy, Debug, Deserialize, DocumentedFields, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterSettings {
    /// So many bytes of dead letters may come in an hour, per process; of one prefix of topics (all before the last slash) at
    /// most a quarter of it. What is over it is acknowledged and lost, counted as `letter_quota` in `shed_total`.
    pub bytes_per_hour_max: u64,
}

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Quota {
    settings: DeadLetterSettings,
    budget: Budget,
    said: Option<Instant>,
    lost: u64,
}

// === impl DeadLetterSettings ===

impl Default for DeadLetterSettings {
    fn default() -> Self {
        Self { bytes_per_hour_max: 1 << 30 }
    }
}

// === impl Quota ===

impl Quota {
    /// Nothing is used of it.
    pub(crate) fn new(settings: DeadLetterSettings, now: Instant) -> Self {
        Self {
            settings,
            budget: Budget::new(bytes(settings.bytes_per_hour_max), HOUR, now),
            said: None,
            lost: 0,
        }
    }

    /// Whether there may be a letter of a message on this topic, with a payload of so many bytes; says so now and then where
    /// there may not.
    pub(crate) fn grant(&mut self, topic: &str, payload_bytes: usize, now: Instant) -> bool {
        let cost = (payload_bytes + topic.len() + LETTER_BYTES) as u64;
        let prefix = topic.rsplit_once('/').map_or(topic, |(prefix, _)| prefix);
        if self.budget.grant(Some(prefix), bytes(cost), now) {
            return true;
        }
        self.lost += 1;
        if self.said.is_none_or(|said| now.duration_since(said) >= SAID_EVERY) {
            self.said = Some(now);
            let max = self.settings.bytes_per_hour_max;
            error!(
                lost = self.lost,
                "{} messages so far that can't become readings are acknowledged and not kept, the newest on {topic}: \
                 dead_letters.bytes_per_hour_max = {max} is used up, or a quarter of it under {prefix}/. `wattlinectl \
                 dead-letters count --by topic` shows whose they are",
                self.lost
            );
        }
        false
    }
}

#[expect(clippy::cast_precision_loss, reason = "a quota needs no last byte")]
const fn bytes(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_publisher_leaves_the_most_to_others() {
        let now = Instant::now();
        let mut quota = Quota::new(DeadLetterSettings { bytes_per_hour_max: 40_000 }, now);
        let payload = 1000 - LETTER_BYTES - "home/evil/x".len();
        let mut kept = |topic: &str, wanted: usize, now| {
            (0..wanted).filter(|_| quota.grant(topic, payload, now)).count()
        };
        assert_eq!(kept("home/evil/x", 1000, now), 10);
        assert_eq!(kept("home/good/x", 5, now), 5);
        assert_eq!(kept("home/evil/x", 1000, now + HOUR / 10), 1, "it fills evenly");
        assert_eq!(kept("home/evil/x", 1000, now + HOUR * 2), 10);
    }
}
