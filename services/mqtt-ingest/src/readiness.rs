//! One condition of readiness in which every broker has a part.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wattline_service::{Condition, Ready};

/// When the condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// While one part does: work can be accepted. What is missing is still named.
    Any,
    /// While all parts do.
    All,
}

/// A condition.
#[derive(Debug)]
pub(crate) struct Shared {
    condition: Condition,
    rule: Rule,
    parts: Mutex<BTreeMap<String, Option<String>>>,
}

/// One broker's part in it.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    shared: Arc<Shared>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(ready: &Ready, name: &'static str, rule: Rule, why_not: &str) -> Arc<Self> {
        let condition = ready.condition(name, why_not);
        Arc::new(Self { condition, rule, parts: Mutex::default() })
    }

    /// The part of one broker: it doesn't hold yet.
    pub(crate) fn part(self: &Arc<Self>, name: &str, why_not: &str) -> Part {
        self.set(name, Some(why_not.to_owned()));
        Part { name: name.to_owned(), shared: Arc::clone(self) }
    }

    fn set(&self, name: &str, why_not: Option<String>) {
        let mut parts = self.parts.lock();
        if parts.get(name) == Some(&why_not) {
            return;
        }
        parts.insert(name.to_owned(), why_not);
        let alone = parts.len() == 1;
        let missing: Vec<String> = parts
            .iter()
            .filter_map(|(name, why)| {
                why.as_ref().map(|why| if alone { why.clone() } else { format!("{name}: {why}") })
            })
            .collect();
        let holds = match self.rule {
            Rule::Any => missing.len() < parts.len(),
            Rule::All => missing.is_empty(),
        };
        match (holds, missing.is_empty()) {
            (true, true) => self.condition.holds(),
            (true, false) => self.condition.holds_without(missing.join("; ")),
            (false, _) => self.condition.fails(missing.join("; ")),
        }
    }
}

// === impl Part ===

impl Part {
    /// It holds.
    pub(crate) fn holds(&self) {
        self.shared.set(&self.name, None);
    }

    /// It doesn't hold, and why.
    pub(crate) fn fails(&self, why: impl Into<String>) {
        self.shared.set(&self.name, Some(why.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broker_is_enough_but_the_other_is_named() {
        let ready = Ready::default();
        let shared = Shared::new(&ready, "mqtt", Rule::Any, "none");
        let parts = ["a", "b"].map(|name| shared.part(name, "not connected"));
        assert_eq!(ready.missing(), ["mqtt: a: not connected; b: not connected"]);
        parts[0].holds();
        assert!(ready.is_ready());
        assert_eq!(ready.reduced(), ["mqtt: b: not connected"]);
        parts[1].holds();
        assert_eq!(ready.reduced(), [] as [&str; 0]);
        parts.iter().for_each(|part| part.fails("gone"));
        assert!(!ready.is_ready());
    }

    #[test]
    fn what_all_need_fails_with_one() {
        let ready = Ready::default();
        let shared = Shared::new(&ready, "kafka", Rule::All, "none");
        let parts = ["a", "b"].map(|name| shared.part(name, "not looked at"));
        parts[0].holds();
        assert_eq!(ready.missing(), ["kafka: b: not looked at"]);
        parts[1].holds();
        assert!(ready.is_ready());
    }
}
