//! Which partitions the group has given to a member, and under which assignment. The rebalance callback writes it, whoever
//! writes to the database asks it before each try.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::id::Partition;

/// One time that a member was given a partition, or began with it anew; never the same twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Assignment(u64);

/// The partitions that one member of the group holds now.
#[derive(Debug, Default)]
pub struct Assignments(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: HashMap<Partition, Assignment>,
    last: u64,
}

// === impl Assignments ===

impl Assignments {
    /// A partition was given, or is begun with anew: what is read from now on carries the new assignment.
    pub fn take(&self, partition: Partition) -> Assignment {
        let mut inner = self.0.lock();
        inner.last += 1;
        let assignment = Assignment(inner.last);
        inner.held.insert(partition, assignment);
        assignment
    }

    /// A partition was taken away.
    pub fn release(&self, partition: Partition) {
        self.0.lock().held.remove(&partition);
    }

    /// True where the partition is held under this very assignment.
    #[must_use]
    pub fn holds(&self, partition: Partition, assignment: Assignment) -> bool {
        self.0.lock().held.get(&partition) == Some(&assignment)
    }

    /// All partitions that are held, and under which assignment.
    #[must_use]
    pub fn held(&self) -> Vec<(Partition, Assignment)> {
        self.0.lock().held.iter().map(|(partition, assignment)| (*partition, *assignment)).collect()
    }

    /// Whether a partition is held, under whatever assignment.
    #[must_use]
    pub fn has(&self, partition: Partition) -> bool {
        self.0.lock().held.contains_key(&partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_under_an_older_assignment_is_no_longer_owned() {
        let assignments = Assignments::default();
        let partition = Partition::readings(3);
        let first = assignments.take(partition);
        assert!(assignments.holds(partition, first));
        assignments.release(partition);
        assert!(!assignments.holds(partition, first) && !assignments.has(partition));
        let second = assignments.take(partition);
        assert!(!assignments.holds(partition, first) && assignments.holds(partition, second));
        assert_eq!(assignments.held(), [(partition, second)]);
    }
}
