//! Which partitions the group has given to a member, and under which assignment. The consumer's thread writes it
//! from within the rebalance callback, the writer asks it before each try.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::batch::{Partition, Set};

/// The partitions that one member of the group holds now.
#[derive(Debug, Default)]
pub struct Ownership(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    epochs: HashMap<Partition, u64>,
    last_epoch: u64,
}

// === impl Ownership ===

impl Ownership {
    /// A partition was given; what is read from now on carries the new epoch.
    pub fn take(&self, partition: Partition) -> u64 {
        let mut inner = self.0.lock();
        inner.last_epoch += 1;
        let epoch = inner.last_epoch;
        inner.epochs.insert(partition, epoch);
        epoch
    }

    /// A partition was taken away.
    pub fn release(&self, partition: Partition) {
        self.0.lock().epochs.remove(&partition);
    }

    /// True where the partition is held under this very assignment.
    pub fn holds(&self, partition: Partition, epoch: u64) -> bool {
        self.0.lock().epochs.get(&partition) == Some(&epoch)
    }

    /// True where the set may still be written.
    pub fn holds_set(&self, set: &Set) -> bool {
        self.holds(set.partition, set.epoch)
    }

    /// All partitions that are held.
    pub fn partitions(&self) -> Vec<Partition> {
        self.0.lock().epochs.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Stream;

    #[test]
    fn what_was_read_under_an_older_assignment_is_no_longer_owned() {
        let ownership = Ownership::default();
        let partition = Partition { stream: Stream::Readings, number: 3 };
        let first = ownership.take(partition);
        assert!(ownership.holds(partition, first));
        ownership.release(partition);
        assert!(!ownership.holds(partition, first));
        let second = ownership.take(partition);
        assert!(!ownership.holds(partition, first) && ownership.holds(partition, second));
    }
}
