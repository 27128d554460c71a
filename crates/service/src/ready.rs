//! Readiness: a service is ready while each of its conditions holds. Start-up steps and clients hold one each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// All conditions of a service.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<Mutex<BTreeMap<&'static str, Option<String>>>>);

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
        self.set(name, Some(why_not.into()));
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
        let missing =
            conditions.iter().filter_map(|(name, why)| why.as_ref().map(|why| format!("{name}: {why}")));
        missing.collect()
    }

    /// True when nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }

    fn set(&self, name: &'static str, why_not: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, why_not);
    }
}

// === impl Condition ===

impl Condition {
    /// It holds.
    pub fn holds(&self) {
        self.ready.set(self.name, None);
    }

    /// It doesn't hold, and why.
    pub fn fails(&self, why: impl Into<String>) {
        self.ready.set(self.name, Some(why.into()));
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
    fn ready_means_that_all_conditions_hold() {
        let ready = Ready::default();
        assert!(!ready.is_ready(), "nothing has begun");
        let kafka = ready.condition("kafka", "not connected yet");
        let database = ready.condition("database", "not connected yet");
        kafka.holds();
        assert_eq!(ready.missing(), ["database: not connected yet"]);
        database.holds();
        assert!(ready.is_ready());
        kafka.fails("topic is missing");
        assert_eq!(ready.missing(), ["kafka: topic is missing"]);
        drop(kafka);
        assert!(ready.is_ready());
    }
}
