//! What is written at once: consecutive records of some partitions, within bounds. Pure.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::{Duration, Instant};

use wattline_reading::{DeadLetter, Reading, limits::Reason};
use wattline_service::traces::Links;
use wattline_stream::{Assignment, Mark, Partition, Span};

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

/// Where nothing came for some offsets of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The first of them.
    pub(crate) from: i64,
    /// How many records of the set are before it.
    records: usize,
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
    /// The records.
    pub(crate) records: Vec<Record>,
    /// The first place where offsets before or between them have no record.
    pub(crate) hole: Option<Hole>,
    /// The last record, by which the log is known again, where its time is known.
    pub(crate) mark: Option<Mark>,
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
        Span { partition: self.partition, first_offset, next_offset, mark: self.mark }
    }

    /// Leaves what is before the first hole.
    pub(crate) fn cut(&mut self) {
        if let Some(hole) = self.hole.take() {
            self.records.truncate(hole.records);
            self.mark = None;
        }
    }

    /// How many offsets before and between the records have none.
    #[must_use]
    pub(crate) fn absent(&self) -> i64 {
        let records = i64::try_from(self.records.len()).unwrap_or(i64::MAX);
        self.next_offset() - self.first_offset - records
    }

    /// Its two halves, in their order.
    #[must_use]
    pub(crate) fn halves(mut self) -> [Self; 2] {
        let mut records = self.records.split_off(self.records.len() / 2);
        let begin = records.first().map_or(self.payloads.len(), |record| record.payload.start);
        for record in &mut records {
            record.payload = record.payload.start - begin..record.payload.end - begin;
        }
        let payloads = self.payloads.split_off(begin);
        let (partition, assignment) = (self.partition, self.assignment);
        let first_offset = self.next_offset();
        self.hole = None;
        let mark = self.mark.take();
        [self, Self { partition, assignment, first_offset, records, hole: None, mark, payloads }]
    }
}

// === impl Batch ===

impl Batch {
    /// Adds the next record of a partition: the last of these offsets. The first is the one behind the record before it;
    /// nothing came for those in between.
    pub(crate) fn push(
        &mut self,
        (partition, assignment): (Partition, Assignment),
        offsets: RangeInclusive<i64>,
        value: &[u8],
        content: Content,
        now: Instant,
    ) {
        let (next, offset) = offsets.into_inner();
        let set = self.sets.entry(partition).or_insert_with(|| Set {
            partition,
            assignment,
            first_offset: next,
            records: Vec::new(),
            hole: None,
            mark: None,
            payloads: Vec::new(),
        });
        debug_assert_eq!(set.next_offset(), next, "a set goes on where it ended");
        if next < offset {
            set.hole.get_or_insert(Hole { from: next, records: set.records.len() });
        }
        let start = set.payloads.len();
        set.payloads.extend_from_slice(value);
        set.records.push(Record { offset, payload: start..set.payloads.len(), content });
        self.rows += 1;
        self.bytes += value.len();
        self.opened.get_or_insert(now);
    }

    /// What Kafka says of the last record that was added to a partition.
    pub(crate) fn mark(&mut self, partition: Partition, mark: Option<Mark>) {
        if let Some(set) = self.sets.get_mut(&partition) {
            set.mark = mark;
        }
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

    /// Where the records of each partition end.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (Partition, i64)> {
        self.sets.values().map(|set| (set.partition, set.next_offset()))
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
        batch.push(partition(0), 5..=5, b"12", refused(), now);
        assert!(!batch.is_due(&SETTINGS, now + Duration::from_millis(199)));
        assert!(batch.is_due(&SETTINGS, now + Duration::from_millis(200)));
        batch.push(partition(1), 9..=9, b"12345678", refused(), now);
        assert!(batch.is_full(&SETTINGS), "10 bytes");
        batch.remove(partition(1).0);
        batch.push(partition(0), 6..=6, b"", refused(), now);
        assert!(!batch.is_full(&SETTINGS));
        batch.push(partition(0), 7..=7, b"", refused(), now);
        assert!(batch.is_full(&SETTINGS), "3 rows");
        let sets = batch.into_sets();
        assert_eq!((sets[0].first_offset, sets[0].next_offset()), (5, 8));
    }

    #[test]
    fn age_begins_anew_when_nothing_is_left() {
        let now = Instant::now();
        let mut batch = Batch::default();
        batch.push(partition(0), 0..=0, b"", refused(), now);
        batch.remove(partition(0).0);
        assert!(batch.is_empty() && batch.wait(&SETTINGS, now).is_none());
    }

    #[test]
    fn offsets_without_a_record_are_counted_and_can_be_cut_off() {
        let mut batch = Batch::default();
        for offsets in [5..=5, 6..=8, 9..=9, 10..=12] {
            batch.push(partition(0), offsets, b"1", refused(), Instant::now());
        }
        batch.push(partition(1), 3..=4, b"1", refused(), Instant::now());
        let mut sets = batch.into_sets();
        assert_eq!((sets[0].absent(), sets[0].hole), (4, Some(Hole { from: 6, records: 1 })));
        assert_eq!((sets[0].first_offset, sets[0].next_offset()), (5, 13));
        assert_eq!((sets[1].absent(), sets[1].first_offset, sets[1].next_offset()), (1, 3, 5));
        sets.iter_mut().for_each(Set::cut);
        assert_eq!((sets[0].absent(), sets[0].hole, sets[0].next_offset()), (0, None, 6));
        assert_eq!((sets[1].records.len(), sets[1].next_offset()), (0, 3));
    }

    #[test]
    fn halves_are_the_whole() {
        let mut batch = Batch::default();
        for (offsets, value) in [(5..=5, "a"), (6..=8, "bb"), (9..=11, ""), (12..=12, "cc"), (13..=13, "d")] {
            batch.push(partition(0), offsets, value.as_bytes(), refused(), Instant::now());
        }
        let [first, second] = batch.into_sets().remove(0).halves();
        let values = |set: &Set| -> Vec<String> {
            let value = |record: &Record| String::from_utf8(set.payloads[record.payload.clone()].to_vec());
            set.records.iter().map(|record| value(record).unwrap()).collect()
        };
        assert_eq!(
            (values(&first), values(&second)),
            (vec!["a".into(), "bb".into()], vec!["".into(), "cc".into(), "d".into()])
        );
        assert_eq!((first.first_offset, first.next_offset(), first.absent()), (5, 9, 2));
        assert_eq!((second.first_offset, second.next_offset(), second.absent()), (9, 14, 2));
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
                    batch.push(partition(number), next[index]..=next[index], &vec![7; bytes], refused(), now);
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
