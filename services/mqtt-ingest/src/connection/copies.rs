//! A broker delivers a message once for each subscription of a group that takes its topic, and to whom it likes each
//! time. Of such copies one counts: that of the filter which ranks first among all that take the topic.
//!
//! By which subscription a copy came is said by its identifier (MQTT 5, 3.8.2.1.2), which each subscription has here that
//! another one overlaps. The identifier also stands for those that rank before: a copy from before one of them was there
//! has another identifier, and is no second copy. A broker that joins copies, or names what fits whatever it came by, names the
//! first among them, and nothing is dropped. So nothing is dropped of which another copy isn't sure to come
//! (`docs/decisions/0012-one-copy-counts.md`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use wattline_routes::{matches, overlap};

use crate::config::unshared;

/// The largest identifier that MQTT allows.
const ID_MAX: u64 = 268_435_455;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// By identifier.
    ids: BTreeMap<usize, Identified>,
}

/// A subscription that another one overlaps.
#[derive(Debug)]
struct Identified {
    subscription: String,
    /// The filters that rank before it and overlap it.
    before: Vec<String>,
}

// === impl Copies ===

impl Copies {
    /// Of these subscriptions.
    #[must_use]
    pub(super) fn of(subscriptions: &[String]) -> Self {
        let ids = subscriptions.iter().filter_map(|subscription| {
            let filter = unshared(subscription);
            let others = subscriptions.iter().map(|other| unshared(other)).filter(|other| *other != filter);
            let overlapping: Vec<&str> = others.filter(|other| overlap(other, filter)).collect();
            if overlapping.is_empty() {
                return None;
            }
            let before = overlapping.into_iter().filter(|other| rank(other) < rank(filter));
            let mut before: Vec<String> = before.map(str::to_owned).collect();
            before.sort_unstable();
            Some((id(subscription, &before), Identified { subscription: subscription.clone(), before }))
        });
        Self { ids: ids.collect() }
    }

    /// The subscriptions that have an identifier, in the order in which they must be asked for.
    pub(super) fn identified(&self) -> Vec<(usize, &str)> {
        let mut all: Vec<(usize, &str)> =
            self.ids.iter().map(|(id, identified)| (*id, identified.subscription.as_str())).collect();
        all.sort_by(|(_, one), (_, other)| rank(unshared(one)).cmp(&rank(unshared(other))));
        all
    }

    /// Whether a copy on this topic, which came with these identifiers, is not the one that counts.
    #[must_use]
    pub(super) fn is_second(&self, ids: &[usize], topic: &str) -> bool {
        let ranks_behind = |id: &usize| {
            let known = self.ids.get(id);
            known.is_some_and(|known| known.before.iter().any(|filter| matches(filter, topic)))
        };
        !ids.is_empty() && ids.iter().all(ranks_behind)
    }

    /// Whether several of the subscriptions take this topic.
    #[must_use]
    pub(super) fn several_take(&self, topic: &str) -> bool {
        let takes = |known: &&Identified| matches(unshared(&known.subscription), topic);
        self.ids.values().filter(takes).nth(1).is_some()
    }
}

/// What is named ranks before what any device may be called.
fn rank(filter: &str) -> impl Ord + '_ {
    filter.split('/').map(|level| (level == "#", level == "+", level)).collect::<Vec<_>>()
}

/// The same for the same words, over restarts too: the broker keeps it with the session, and gives it to what waits there. Were
/// it another one, what waits would be no second copy to anybody.
fn id(subscription: &str, before: &[String]) -> usize {
    let mut hasher = DefaultHasher::new();
    (subscription, before).hash(&mut hasher);
    usize::try_from(hasher.finish() % ID_MAX + 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriptions(filters: &[&str]) -> Vec<String> {
        filters.iter().map(|filter| format!("$share/g/{filter}")).collect()
    }

    const FILTERS: [&str; 4] = ["+/status/+", "meter/+/+", "a/b", "+/tele/+"];
    const TOPICS: [&str; 5] =
        ["meter/status/em", "kitchen/status/em", "meter/a/b", "a/b", "meter/tele/SENSOR"];

    fn id(copies: &Copies, filter: &str) -> Option<usize> {
        let subscription = format!("$share/g/{filter}");
        copies.identified().into_iter().find(|(_, of)| *of == subscription).map(|(id, _)| id)
    }

    /// The identifiers of all subscriptions that take a topic.
    fn ids(copies: &Copies, topic: &str) -> Vec<usize> {
        FILTERS
            .iter()
            .filter(|filter| matches(filter, topic))
            .filter_map(|filter| id(copies, filter))
            .collect()
    }

    #[test]
    fn of_the_copies_of_a_message_one_counts() {
        let copies = Copies::of(&subscriptions(&FILTERS));
        for topic in TOPICS {
            let came = FILTERS.iter().filter(|filter| matches(filter, topic));
            let first = came.filter(|filter| {
                let ids: Vec<usize> = id(&copies, filter).into_iter().collect();
                !copies.is_second(&ids, topic)
            });
            assert_eq!(first.count(), 1, "{topic}");
        }
        assert_eq!(id(&copies, "a/b"), None, "no other takes it");
    }

    /// As by a broker that joins copies. Were there an identifier only where a filter ranks behind another, it would name that
    /// one alone, and the one copy would be dropped.
    #[test]
    fn where_all_subscriptions_are_named_nothing_is_dropped() {
        let copies = Copies::of(&subscriptions(&FILTERS));
        for topic in TOPICS {
            assert!(!copies.is_second(&ids(&copies, topic), topic), "{topic}");
        }
        assert!(copies.several_take("meter/status/em") && !copies.several_take("kitchen/status/em"));
    }

    /// It was published before the subscription that would bring the other one.
    #[test]
    fn a_copy_from_before_another_filter_was_there_counts() {
        let before = Copies::of(&subscriptions(&["+/status/+", "meter/+/+"]));
        let now = Copies::of(&subscriptions(&["+/status/+", "meter/+/+", "solar/+/+"]));
        let (old, new) = (id(&before, "+/status/+").unwrap(), id(&now, "+/status/+").unwrap());
        assert!(before.is_second(&[old], "meter/status/em"));
        assert!(!now.is_second(&[old], "solar/status/em"));
        assert!(now.is_second(&[new], "solar/status/em"));
        assert!(!now.is_second(&[], "solar/status/em"), "a version that names none");
    }

    #[test]
    fn what_ranks_first_is_asked_for_first() {
        let copies = Copies::of(&subscriptions(&FILTERS));
        let asked: Vec<&str> = copies.identified().into_iter().map(|(_, of)| unshared(of)).collect();
        assert_eq!(asked, ["meter/+/+", "+/status/+", "+/tele/+"]);
    }
}
