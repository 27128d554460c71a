//! A broker delivers a message once for each subscription of a group that takes its topic, and to whom it likes each
//! time. Of such copies one counts: that of the filter which ranks first among all that take the topic.
//!
//! By which subscription a copy came is said by its identifier (MQTT 5, 3.8.2.1.2), which a subscription has here where
//! another that ranks before it overlaps it. The identifier also names those others: a copy from before one of them was
//! there has another identifier, and is no second copy. So nothing is dropped of which another copy isn't sure to come.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use wattline_routes::{matches, overlap};

use crate::config::unshared;

/// The largest identifier that MQTT allows.
const ID_MAX: u64 = 268_435_455;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// By identifier: its subscription, and the filters that rank before it and overlap it.
    ids: BTreeMap<usize, (String, Vec<String>)>,
}

/// What the identifiers of a copy say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// It is the one that counts.
    First,
    /// Another subscription has brought or will bring the one that counts.
    Second,
    /// The broker gives all identifiers of this client that fit the topic, so none says anything.
    Unknown,
}

// === impl Copies ===

impl Copies {
    /// Of these subscriptions.
    #[must_use]
    pub(super) fn of(subscriptions: &[String]) -> Self {
        let ids = subscriptions.iter().filter_map(|subscription| {
            let filter = unshared(subscription);
            let others = subscriptions.iter().map(|other| unshared(other));
            let mut before: Vec<String> = others
                .filter(|other| rank(other) < rank(filter) && overlap(other, filter))
                .map(str::to_owned)
                .collect();
            before.sort_unstable();
            (!before.is_empty()).then(|| (id(subscription, &before), (subscription.clone(), before)))
        });
        Self { ids: ids.collect() }
    }

    /// The subscriptions that have an identifier, in the order in which they must be asked for.
    pub(super) fn identified(&self) -> Vec<(usize, &str)> {
        let mut all: Vec<(usize, &str)> =
            self.ids.iter().map(|(id, (subscription, _))| (*id, subscription.as_str())).collect();
        all.sort_by(|(_, one), (_, other)| rank(unshared(one)).cmp(&rank(unshared(other))));
        all
    }

    /// What a copy on this topic is that came with these identifiers.
    #[must_use]
    pub(super) fn judge(&self, ids: &[usize], topic: &str) -> Copy {
        match ids {
            [] => Copy::First,
            [id] => match self.ids.get(id) {
                Some((_, before)) if before.iter().any(|filter| matches(filter, topic)) => Copy::Second,
                _ => Copy::First,
            },
            _ => Copy::Unknown,
        }
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

    #[test]
    fn of_the_copies_of_a_message_one_counts() {
        let filters = ["+/status/+", "meter/+/+", "a/b", "+/tele/+"];
        let copies = Copies::of(&subscriptions(&filters));
        let id = |filter: &str| {
            let subscription = format!("$share/g/{filter}");
            copies.identified().into_iter().find(|(_, of)| *of == subscription).map(|(id, _)| id)
        };
        for topic in ["meter/status/em", "kitchen/status/em", "meter/a/b", "a/b", "meter/tele/SENSOR"] {
            let came = filters.iter().filter(|filter| matches(filter, topic));
            let first = came.filter(|filter| {
                let ids: Vec<usize> = id(filter).into_iter().collect();
                copies.judge(&ids, topic) == Copy::First
            });
            assert_eq!(first.count(), 1, "{topic}");
        }
        assert_eq!(id("meter/+/+"), None, "it ranks first, so its copies need no name");
    }

    /// It was published before the subscription that would bring the other one.
    #[test]
    fn a_copy_from_before_another_filter_was_there_counts() {
        let before = Copies::of(&subscriptions(&["+/status/+", "meter/+/+"]));
        let now = Copies::of(&subscriptions(&["+/status/+", "meter/+/+", "solar/+/+"]));
        let old = before.identified()[0].0;
        assert_eq!(before.judge(&[old], "meter/status/em"), Copy::Second);
        assert_eq!(now.judge(&[old], "solar/status/em"), Copy::First);
        assert_eq!(now.judge(&[now.identified()[0].0], "solar/status/em"), Copy::Second);
        assert_eq!(now.judge(&[], "solar/status/em"), Copy::First, "a version that names none");
    }

    #[test]
    fn a_broker_that_names_all_of_them_names_none() {
        let copies = Copies::of(&subscriptions(&["+/status/+", "meter/+/+", "+/tele/+"]));
        let ids: Vec<usize> = copies.identified().into_iter().map(|(id, _)| id).collect();
        assert_eq!(copies.judge(&ids, "meter/status/em"), Copy::Unknown);
    }
}
