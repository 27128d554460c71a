//! Partitions that hold records and don't deliver them: what is damaged on a broker's disk, or served by nobody. The group
//! doesn't say so, and neither does the lag in seconds.

use std::time::{Duration, Instant};

/// How long nothing may come where there is something.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far the client is with fetching a partition, by its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// The offset that it fetches next.
    pub next: i64,
    /// The end of what it may have: beyond it a transaction is open, or nothing is there.
    pub end: i64,
    /// It has fetched records that were not asked of it yet.
    pub queued: bool,
}

/// How long a partition has been silent.
#[derive(Debug, Default)]
pub struct Silence(Option<(i64, Instant)>);

// === impl Silence ===

impl Silence {
    /// Looks at a partition that is being read, with what the client has said of it. Each minute anew: the offset from which
    /// on nothing has come for a minute, although there is something.
    pub fn look(&mut self, fetching: Option<Fetching>, now: Instant) -> Option<i64> {
        let stands = fetching.filter(|fetching| fetching.next < fetching.end && !fetching.queued);
        match (stands, self.0) {
            (Some(fetching), Some((next, since))) if next == fetching.next => {
                let silent = now.duration_since(since) >= PATIENCE;
                if silent {
                    self.0 = Some((next, now));
                }
                silent.then_some(next)
            }
            (stands, _) => {
                self.0 = stands.map(|fetching| (fetching.next, now));
                None
            }
        }
    }
}

/// What is said of a partition that has been silent from this offset on.
#[must_use]
pub fn silent(topic: &str, number: i32, from: i64) -> String {
    format!(
        "partition {number} of {topic}: Kafka holds records from offset {from} on and has delivered none for {} s: they are \
         damaged on its leader's disk, or nobody serves them. Another replica that is whole may lead it; to do without \
         what can't be read, which is counted as lost: `wattlinectl offsets skip --topic {topic} --partition {number}`",
        PATIENCE.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next: i64, end: i64) -> Option<Fetching> {
        Some(Fetching { next, end, queued: false })
    }

    #[test]
    fn what_stands_still_before_records_is_silent_each_minute() {
        let (mut silence, begin) = (Silence::default(), Instant::now());
        let looks = [
            (at(5, 9), 0, None),
            (at(5, 9), 59, None),
            (at(5, 12), 60, Some(5)),
            (at(5, 12), 119, None),
            (at(5, 12), 120, Some(5)),
            (at(7, 12), 121, None),
            (at(7, 12), 180, None),
            (at(7, 12), 181, Some(7)),
            (at(12, 12), 182, None),
        ];
        for (fetching, seconds, expected) in looks {
            assert_eq!(silence.look(fetching, begin + Duration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn who_has_read_all_or_has_something_to_give_is_not_silent() {
        let begin = Instant::now();
        let queued = Some(Fetching { next: 5, end: 9, queued: true });
        for quiet in [at(9, 9), at(0, -1), queued, None] {
            let mut silence = Silence::default();
            for seconds in [0, 100, 200] {
                assert_eq!(silence.look(quiet, begin + Duration::from_secs(seconds)), None);
            }
        }
    }
}
