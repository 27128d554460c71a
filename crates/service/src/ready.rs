//! Readiness: a service is ready while each of its conditions holds. Start-up steps and clients hold one each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// All conditions of a service.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<Mutex<BTreeMap<&'static str, State>>>);

#[derive(Clone, Debug)]
enum State {
    Holds,
    /// Work can be accepted and finished, but not all of it.
    HoldsWithout(String),
    Fails(String),
}

/// One thing that must hold before work can be accepted and finished. Dropped: it no longer counts.
#[derive(Debug)]
pub struct Condition {
    name: &'static str,
    ready: Ready,
}

// === impl Ready ===

impl Ready {
    /// Adds a condition that doesn't hold yet.
    #[must_use]
    pub fn condition(&self, name: &'static str, why_not: impl Into<String>) -> Condition {
        self.set(name, State::Fails(why_not.into()));
        Condition { name, ready: self.clone() }
    }

    /// What is missing, as `name: why`; empty when the service is ready. Without any condition yet it has not
    /// come far enough to be ready.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if conditions.is_empty() {
            return vec!["start: not begun".to_owned()];
        }
        let missing = conditions.iter().filter_map(|(name, state)| match state {
            State::Fails(why) => Some(format!("{name}: {why}")),
            State::Holds | State::HoldsWithout(_) => None,
        });
        missing.collect()
    }

    /// What is missing although the service is ready, as `name: what`.
    #[must_use]
    pub fn reduced(&self) -> Vec<String> {
        let conditions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reduced = conditions.iter().filter_map(|(name, state)| match state {
            State::HoldsWithout(what) => Some(format!("{name}: {what}")),
            State::Holds | State::Fails(_) => None,
        });
        reduced.collect()
    }

    /// True when nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }

    fn set(&self, name: &'static str, state: State) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, state);
    }
}

// === impl Condition ===

impl Condition {
    /// It holds.
    pub fn holds(&self) {
        self.ready.set(self.name, State::Holds);
    }

    /// It holds for a part of the work; `what` is missing for the rest.
    pub fn holds_without(&self, what: impl Into<String>) {
        self.ready.set(self.name, State::HoldsWithout(what.into()));
    }

    /// It doesn't hold, and why.
    pub fn fails(&self, why: impl Into<String>) {
        self.ready.set(self.name, State::Fails(why.into()));
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        self.ready.0.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_is_gone_no_longer_counts() {
        let ready = Ready::default();
        let (kafka, database) = (ready.condition("kafka", "away"), ready.condition("database", "away"));
        kafka.holds();
        drop(database);
        assert!(ready.is_ready());
        drop(kafka);
        assert_eq!(ready.missing(), ["start: not begun"], "nothing is left that could hold");
    }

    #[test]
    fn what_is_missing_stands_in_order_with_its_newest_reason() {
        let ready = Ready::default();
        let conditions = ["kafka", "broker a", "database"].map(|name| ready.condition(name, "not yet"));
        conditions[0].fails("refused");
        assert_eq!(ready.missing(), ["broker a: not yet", "database: not yet", "kafka: refused"]);
        conditions.iter().for_each(Condition::holds);
        assert!(ready.is_ready() && ready.reduced().is_empty());
    }

    #[test]
    fn ready_means_that_all_conditions_hold() {
        let ready = Ready::default();
        assert!(!ready.is_ready(), "nothing has begun");
        let kafka = ready.condition("kafka", "not connected yet");
        let database = ready.condition("database", "not connected yet");
        kafka.holds();
        assert_eq!(ready.missing(), ["database: not connected yet"]);
        database.holds();
        assert!(ready.is_ready());
        kafka.holds_without("one broker");
        assert!(ready.is_ready());
        assert_eq!(ready.reduced(), ["kafka: one broker"]);
        kafka.fails("topic is missing");
        assert_eq!(ready.missing(), ["kafka: topic is missing"]);
        drop(kafka);
        assert!(ready.is_ready());
    }
}
