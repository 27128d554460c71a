//! Filters by topic level, so that a look-up doesn't grow with the number of routes.

use fnv::FnvHashMap;

/// Filters with the route that each belongs to.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Its keys are the configuration's, so no message can make them collide.
    levels: FnvHashMap<Box<str>, usize>,
    /// Where `+` leads.
    plus: Option<usize>,
    /// The route of a filter that ends here with `#`.
    hash: Option<usize>,
    /// The route of a filter that ends here.
    end: Option<usize>,
}

// === impl Trie ===

impl Trie {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    pub(super) fn insert(&mut self, filter: &str, route: usize) {
        let mut at = 0;
        for level in filter.split('/') {
            if level == "#" {
                self.nodes[at].hash = Some(route);
                return;
            }
            let next =
                if level == "+" { self.nodes[at].plus } else { self.nodes[at].levels.get(level).copied() };
            at = next.unwrap_or_else(|| {
                let new = self.nodes.len();
                self.nodes.push(Node::default());
                if level == "+" {
                    self.nodes[at].plus = Some(new);
                } else {
                    self.nodes[at].levels.insert(level.into(), new);
                }
                new
            });
        }
        self.nodes[at].end = Some(route);
    }

    /// The route of the filter that matches; of several the one whose first differing level is exact, then `+`.
    pub(super) fn find(&self, topic: &str) -> Option<usize> {
        // MQTT: a filter that begins with a wildcard doesn't match `$SYS` and the like.
        if topic.starts_with('$') {
            let (first, rest) = split(topic);
            return self.nodes[0].levels.get(first).and_then(|next| self.find_from(*next, rest));
        }
        self.find_from(0, Some(topic))
    }

    /// As deep as the filters are, not as the topic.
    fn find_from(&self, at: usize, topic: Option<&str>) -> Option<usize> {
        let node = &self.nodes[at];
        let Some(topic) = topic else { return node.end.or(node.hash) };
        let (level, rest) = split(topic);
        let exact = node.levels.get(level).and_then(|next| self.find_from(*next, rest));
        exact.or_else(|| node.plus.and_then(|next| self.find_from(next, rest))).or(node.hash)
    }
}

fn split(topic: &str) -> (&str, Option<&str>) {
    // Levels are short: a search for one byte costs less than a searcher.
    match topic.as_bytes().iter().position(|byte| *byte == b'/') {
        Some(end) => (&topic[..end], Some(&topic[end + 1..])),
        None => (topic, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::matches;

    proptest! {
        #[test]
        fn it_finds_what_matches_and_nothing_else(
            filters in prop::collection::vec("[ab+]{0,1}(/[ab+]{0,1}){0,2}(/#)?", 1..6),
            topic in "\\$?[ab]{0,1}(/[ab]{0,1}){0,4}",
        ) {
            prop_assume!(filters.iter().all(|filter| !filter.is_empty()));
            let mut trie = Trie::new();
            for (index, filter) in filters.iter().enumerate() {
                trie.insert(filter, index);
            }
            let found = trie.find(&topic);
            if let Some(route) = found {
                prop_assert!(matches(&filters[route], &topic), "{:?} {}", filters, topic);
            }
            prop_assert_eq!(found.is_some(), filters.iter().any(|filter| matches(filter, &topic)));
        }
    }
}
