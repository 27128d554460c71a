//! What is written at once: consecutive records of some partitions, within bounds. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use wattline_reading::{DeadLetter, Reading, limits::Reason};
use wattline_service::traces::Links;
use wattline_stream::{Assignment, Partition, Span};

use crate::config::BatchSettings;

/// One record, decoded.
#[derive(Debug)]
pub(crate) struct Record {
    /// Its offset in the partition.
    pub(crate) offset: i64,
    /// Where its value is in [`Set::payloads`].
    pub(crate) payload: Range<usize>,
    /// What it says.
    pub(crate) content: Content,
}

/// What a record says.
#[derive(Debug)]
pub(crate) enum Content {
    /// A reading.
    Reading(Reading),
    /// A message that could not become readings.
    Letter(DeadLetter),
    /// Nothing that can be stored as what its topic is for.
    Refused(Refused),
}

/// Why a record can't be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The word.
    pub(crate) reason: Reason,
    /// What is wrong, and where.
    pub(crate) detail: String,
    /// The record's key.
    pub(crate) key: Vec<u8>,
}

/// Consecutive records of one partition.
#[derive(Debug)]
pub(crate) struct Set {
    /// The partition.
    pub(crate) partition: Partition,
    /// Which assignment of it they were read under.
    pub(crate) assignment: Assignment,
    /// The offset of the first: what the database must still wait for.
    pub(crate) first_offset: i64,
    /// The records, without a hole.
    pub(crate) records: Vec<Record>,
    /// Their values, one behind the other.
    pub(crate) payloads: Vec<u8>,
}

/// Sets of several partitions that go to the database in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    sets: BTreeMap<Partition, Set>,
    rows: usize,
    bytes: usize,
    opened: Option<Instant>,
    /// The traced messages that records of it are of.
    pub(crate) messages: Links,
}

// === impl Set ===

impl Set {
    /// The offset behind the last record.
    #[must_use]
    pub(crate) fn next_offset(&self) -> i64 {
        self.records.last().map_or(self.first_offset, |record| record.offset + 1)
    }

    /// Which records these are.
    #[must_use]
    pub(crate) fn span(&self) -> Span {
        let (first_offset, next_offset) = (self.first_offset, self.next_offset());
        Span { partition: self.partition, first_offset, next_offset }
    }
}

// === impl Batch ===

impl Batch {
    /// Adds the next record of a partition. The caller has checked that it follows the one before it.
    pub(crate) fn push(
        &mut self,
        (partition, assignment): (Partition, Assignment),
        offset: i64,
        value: &[u8],
        content: Content,
        now: Instant,
    ) {
        let set = self.sets.entry(partition).or_insert_with(|| Set {
            partition,
            assignment,
            first_offset: offset,
            records: Vec::new(),
            payloads: Vec::new(),
        });
        debug_assert_eq!(set.next_offset(), offset, "a set has no holes");
        let start = set.payloads.len();
        set.payloads.extend_from_slice(value);
        set.records.push(Record { offset, payload: start..set.payloads.len(), content });
        self.rows += 1;
        self.bytes += value.len();
        self.opened.get_or_insert(now);
    }

    /// Forgets the records of a partition.
    pub(crate) fn remove(&mut self, partition: Partition) {
        let Some(set) = self.sets.remove(&partition) else { return };
        self.rows -= set.records.len();
        self.bytes -= set.payloads.len();
        if self.sets.is_empty() {
            self.opened = None;
        }
    }

    /// No more may be added before it is written.
    #[must_use]
    pub(crate) const fn is_full(&self, settings: &BatchSettings) -> bool {
        self.rows >= settings.rows_max || self.bytes >= settings.bytes_max
    }

    /// It is full, or its first record has waited long enough.
    #[must_use]
    pub(crate) fn is_due(&self, settings: &BatchSettings, now: Instant) -> bool {
        self.is_full(settings) || self.wait(settings, now).is_some_and(|wait| wait.is_zero())
    }

    /// How long its first record may still wait; `None` when it is empty.
    #[must_use]
    pub(crate) fn wait(&self, settings: &BatchSettings, now: Instant) -> Option<Duration> {
        let linger = Duration::from_millis(settings.linger_ms);
        self.opened.map(|opened| linger.saturating_sub(now.saturating_duration_since(opened)))
    }

    /// True when there is nothing to write.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The sets, in the order of partitions.
    #[must_use]
    pub(crate) fn into_sets(self) -> Vec<Set> {
        self.sets.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wattline_stream::Assignments;

    use super::*;

    const SETTINGS: BatchSettings = BatchSettings { writers: 1, rows_max: 3, bytes_max: 10, linger_ms: 200 };

    fn refused() -> Content {
        Content::Refused(Refused {
            reason: Reason::RecordUndecodable,
            detail: String::new(),
            key: Vec::new(),
        })
    }

    fn partition(number: i32) -> (Partition, Assignment) {
        let partition = Partition::readings(number);
        (partition, Assignments::default().take(partition))
    }

    #[test]
    fn it_is_due_by_rows_by_bytes_or_by_age() {
        let now = Instant::now();
        let mut batch = Batch::default();
        assert!(!batch.is_due(&SETTINGS, now));
        batch.push(partition(0), 5, b"12", refused(), now);
        assert!(!batch.is_due(&SETTINGS, now + Duration::from_millis(199)));
        assert!(batch.is_due(&SETTINGS, now + Duration::from_millis(200)));
        batch.push(partition(1), 9, b"12345678", refused(), now);
        assert!(batch.is_full(&SETTINGS), "10 bytes");
        batch.remove(partition(1).0);
        batch.push(partition(0), 6, b"", refused(), now);
        assert!(!batch.is_full(&SETTINGS));
        batch.push(partition(0), 7, b"", refused(), now);
        assert!(batch.is_full(&SETTINGS), "3 rows");
        let sets = batch.into_sets();
        assert_eq!((sets[0].first_offset, sets[0].next_offset()), (5, 8));
    }

    #[test]
    fn age_begins_anew_when_nothing_is_left() {
        let now = Instant::now();
        let mut batch = Batch::default();
        batch.push(partition(0), 0, b"", refused(), now);
        batch.remove(partition(0).0);
        assert!(batch.is_empty() && batch.wait(&SETTINGS, now).is_none());
    }

    proptest! {
        #[test]
        fn sizes_are_those_of_what_is_in_it(
            operations in prop::collection::vec((0..4_i32, 0..6_usize, any::<bool>()), 0..60),
        ) {
            let now = Instant::now();
            let mut batch = Batch::default();
            let mut next = [0_i64; 4];
            for (number, bytes, remove) in operations {
                let index = usize::try_from(number).unwrap();
                if remove {
                    batch.remove(partition(number).0);
                } else {
                    batch.push(partition(number), next[index], &vec![7; bytes], refused(), now);
                    next[index] += 1;
                }
            }
            let (rows, bytes) = (batch.rows, batch.bytes);
            let sets = batch.into_sets();
            prop_assert_eq!(rows, sets.iter().map(|set| set.records.len()).sum::<usize>());
            prop_assert_eq!(bytes, sets.iter().map(|set| set.payloads.len()).sum::<usize>());
            for set in &sets {
                for record in &set.records {
                    prop_assert!(set.payloads.get(record.payload.clone()).is_some());
                }
            }
        }
    }
}
