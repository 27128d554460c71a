//! Each form of topic that is a default route has a message, or says why it has none: what a decoder makes of a topic that
//! nobody has seen is a guess.

use std::collections::BTreeSet;

use wattline_formats::{FAMILIES, Family};

use super::cases;
use crate::Routes;

/// Family, filter, and why there is no message of this form.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("ams-reader", "amsreader/+/+", "none found: users of several readers put a level of their own between"),
    ("ams-reader", "ams/+/+", "as amsreader/+/+"),
    ("ams-reader", "amsleser/+/+", "as amsreader/+/+"),
    ("enphase", "enphase/+/+", "none found: ours, for what the gateway's HTTP answers are published under"),
    ("fronius", "fronius/+/+", "none found: ours, for what the inverter's HTTP answers are published under"),
    ("tasmota", "tele/+/+/+", "none found: a device whose `Topic` has two levels"),
    ("tasmota", "stat/+/+/+", "as tele/+/+/+"),
    ("telegraf", "telegraf/+", "none found: a `topic` of outputs.mqtt with one of its two usual levels"),
    ("teleinfo", "teleinfo/+/+", "none found: a level of the user's own before the meter's"),
    ("vzlogger", "vzlogger/+/+", "none found: a `topic` without `data`, which is its default"),
];

/// The first level is a prefix, which most users may choose; what follows, and what of it is the id, is how a topic is read.
fn form(family: &Family, filter: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let (filter, id) = family.routes.iter().find(|(own, _)| *own == filter)?;
    Some((family.name, filter.split_once('/').map_or("", |(_, form)| form), id))
}

#[test]
fn each_form_of_topic_has_a_message_or_says_why_not() {
    let defaults = Routes::new(&[], &["all".to_owned()]).unwrap();
    let seen = cases().into_iter().filter_map(|case| {
        let route = defaults.find(&case.topic)?;
        form(route.family, &route.filter).filter(|(family, ..)| *family == case.file)
    });
    let seen: BTreeSet<_> = seen.collect();
    let all =
        FAMILIES.iter().flat_map(|family| family.routes.iter().map(move |(filter, _)| (*family, *filter)));
    let unseen =
        all.filter(|(family, filter)| form(family, filter).is_some_and(|form| !seen.contains(&form)));
    let unseen: BTreeSet<_> = unseen.map(|(family, filter)| (family.name, filter)).collect();
    let without: BTreeSet<_> = WITHOUT.iter().map(|(family, filter, _)| (*family, *filter)).collect();
    let new: Vec<_> = unseen.difference(&without).collect();
    assert!(new.is_empty(), "no message has a topic of these forms: {new:?}");
    let gone: Vec<_> = without.difference(&unseen).collect();
    assert!(gone.is_empty(), "these have a message, or are no default: {gone:?}");
}
