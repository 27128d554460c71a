//! MQTT topic filters: whether one is right, what it matches, and how two of them stand to each other.

use anyhow::{bail, ensure};

/// Checks that a text is an MQTT topic filter that can be put into a shared subscription.
///
/// # Errors
/// Names the filter and what is wrong with it.
pub fn check_filter(filter: &str) -> anyhow::Result<()> {
    ensure!(!filter.is_empty(), "a topic filter is empty");
    ensure!(
        !filter.starts_with("$share/"),
        "the filter {filter:?} must be written without $share: mqtt.group adds it"
    );
    ensure!(filter.len() <= 65_535, "a filter has {} bytes, at most 65535", filter.len());
    let last = filter.split('/').count() - 1;
    for (index, level) in filter.split('/').enumerate() {
        if level == "#" {
            ensure!(
                index == last,
                "the filter {filter:?} has # before its end: it may stand only in the last level"
            );
        } else if level != "+" && level.contains(['+', '#', '\0']) {
            bail!("the filter {filter:?} has {level:?}: + and # must stand alone in a level");
        }
    }
    Ok(())
}

/// True where the MQTT filter matches the topic. Filters that begin with a wildcard don't match `$SYS` and the like.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// True where some topic is matched by both.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    if one.starts_with('$') != other.starts_with('$') {
        return false;
    }
    let (mut ones, mut others) = (one.split('/'), other.split('/'));
    loop {
        match (ones.next(), others.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// True where every topic that `narrow` matches is matched by `wide` too.
#[must_use]
pub fn covers(wide: &str, narrow: &str) -> bool {
    if wide.starts_with('$') != narrow.starts_with('$') {
        return false;
    }
    let (mut wides, mut narrows) = (wide.split('/'), narrow.split('/'));
    loop {
        match (wides.next(), narrows.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(wide), Some(narrow)) if wide == narrow => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn filters_match_as_mqtt_says() {
        for (filter, topic, expected) in [
            ("wattline/+/reading", "wattline/m1/reading", true),
            ("wattline/+/reading", "wattline//reading", true),
            ("wattline/+/reading", "wattline/m1/reading/x", false),
            ("wattline/+/reading", "wattline/m1", false),
            ("wattline/#", "wattline", true),
            ("wattline/#", "wattline/a/b", true),
            ("#", "$SYS/uptime", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn two_filters_stand_to_each_other() {
        for (one, other, both, wide) in [
            ("a/+", "a/b", true, true),
            ("a/b", "a/+", true, false),
            ("a/#", "a", true, true),
            ("a/#", "a/b/c", true, true),
            ("+/b", "a/+", true, false),
            ("a/b", "a/c", false, false),
            ("a/+", "a", false, false),
            ("+/+", "a/#", true, false),
            ("#", "$SYS/#", false, false),
            ("+", "#", true, false),
        ] {
            assert_eq!(overlap(one, other), both, "{one} {other}");
            assert_eq!(covers(one, other), wide, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn overlap_and_cover_agree_with_matching(
            one in "[ab+]{1}(/[ab+]{1}){0,2}(/#)?",
            other in "[ab+]{1}(/[ab+]{1}){0,2}(/#)?",
            topic in "[ab]{1}(/[ab]{1}){0,3}",
        ) {
            if matches(&one, &topic) && matches(&other, &topic) {
                prop_assert!(overlap(&one, &other));
            }
            if covers(&one, &other) && matches(&other, &topic) {
                prop_assert!(matches(&one, &topic));
            }
        }
    }
}
