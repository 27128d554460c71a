//! What becomes of each record of a batch: pure, from the records and what the table has at their instants, to what is
//! written and the counts. One outcome a record.

use std::borrow::Cow;
use std::collections::HashMap;

use wattline_reading::limits::Reason;
use wattline_reading::{Meeting, Reading, Timestamp, TsSource};
use wattline_stream::Partition;

use crate::batch::{Content, Record, Set};
use crate::outcome::Counts;
use crate::write::copy::Row;
use crate::write::letters::{Conflict, Letter};

/// A row's key.
pub(crate) type Key = (i32, Timestamp);

/// A set, and those of its records that are written together.
pub(crate) type Part<'a> = (&'a Set, &'a [Record]);

/// What to write of some records.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Readings that are still to be decided.
    pub(crate) open: Vec<Candidate<'a>>,
    /// Instants that the table doesn't have, in the order of the key.
    pub(crate) rows: Vec<Row<'a>>,
    /// Instants that the table has, with what was missing filled.
    pub(crate) updates: Vec<Row<'a>>,
    /// Contradictions.
    pub(crate) conflicts: Vec<Conflict<'a>>,
    /// What can't be a reading.
    pub(crate) letters: Vec<Letter<'a>>,
    /// Outcomes, one element a part.
    pub(crate) counts: Vec<Counts>,
}

/// A reading that may be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// The meter.
    pub(crate) meter_key: i32,
    /// The reading.
    pub(crate) reading: &'a Reading,
    /// The part that it is in.
    part: usize,
    partition: Partition,
    offset: i64,
    /// The table may have its instant.
    may_be_known: bool,
    /// The broker delivered it again under a time of arrival.
    pub(crate) redelivery: Redelivery,
}

/// What is known of a reading that was stamped on arrival and that the broker delivered again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Redelivery {
    /// It isn't one.
    #[default]
    No,
    /// It may be a second copy under another time; that can't be told.
    Possible,
    /// It is one.
    Certain,
}

/// What the registry says of a reading's meter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    /// The meter.
    pub(crate) meter_key: i32,
    /// The table may have its instant.
    pub(crate) may_be_known: bool,
}

/// Whether a reading may be a copy under another time.
pub(crate) fn may_be_copy(reading: &Reading) -> Redelivery {
    let may_be = reading.redelivered && reading.ts_source == TsSource::Arrival;
    if may_be { Redelivery::Possible } else { Redelivery::No }
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// Sorts records out; `accept` says of a reading whose it is, or why it can't be stored.
    pub(crate) fn of(
        parts: &[Part<'a>],
        mut accept: impl FnMut(&Reading) -> Result<Accepted, (Reason, String)>,
    ) -> Self {
        let records = parts.iter().map(|(_, records)| records.len()).sum();
        let mut plan = Self {
            open: Vec::with_capacity(records),
            counts: vec![Counts::default(); parts.len()],
            ..Self::default()
        };
        for (part, (set, records)) in parts.iter().enumerate() {
            for record in *records {
                match &record.content {
                    Content::Reading(reading) => match accept(reading) {
                        Ok(Accepted { meter_key, may_be_known }) => plan.open.push(Candidate {
                            meter_key,
                            reading,
                            part,
                            partition: set.partition,
                            offset: record.offset,
                            may_be_known,
                            redelivery: may_be_copy(reading),
                        }),
                        Err((reason, detail)) => {
                            plan.letters.push(Letter::refused(part, set, record, reason.as_str(), detail));
                        }
                    },
                    Content::Letter(letter) => plan.letters.push(Letter::of(part, set, record, letter)),
                    Content::Refused(refused) => {
                        let (reason, detail) = (refused.reason.as_str(), refused.detail.as_str());
                        plan.letters.push(Letter::refused(part, set, record, reason, detail));
                    }
                }
            }
        }
        plan
    }

    /// The instants that the table may have.
    pub(crate) fn instants(&self) -> Vec<Key> {
        let known = self.open.iter().filter(|candidate| candidate.may_be_known);
        let mut keys: Vec<Key> = known.map(Candidate::key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Decides for all readings; `stored` has the rows that the table holds at their instants.
    ///
    /// Readings of one instant meet in the order of their offsets, so the outcome does not depend on how records were cut
    /// into batches.
    pub(crate) fn decide(&mut self, stored: &HashMap<Key, Reading>) {
        let mut open = std::mem::take(&mut self.open);
        open.sort_unstable_by_key(|candidate| (candidate.key(), candidate.part, candidate.offset));
        self.rows.reserve(open.len());
        for same in open.chunk_by(|a, b| a.key() == b.key()) {
            self.decide_instant(same, stored.get(&same[0].key()));
        }
    }

    fn decide_instant(&mut self, same: &[Candidate<'a>], in_table: Option<&Reading>) {
        let meter_key = same[0].meter_key;
        let mut kept: Option<Cow<'a, Reading>> = in_table.cloned().map(Cow::Owned);
        let mut filled = false;
        for candidate in same {
            let count = &mut self.counts[candidate.part];
            let Some(kept) = &mut kept else {
                if candidate.redelivery == Redelivery::Certain {
                    count.duplicate += 1;
                    continue;
                }
                count.stored += 1;
                count.possible_duplicate += i64::from(candidate.redelivery == Redelivery::Possible);
                kept = Some(Cow::Borrowed(candidate.reading));
                continue;
            };
            match kept.meet(candidate.reading) {
                Meeting::Duplicate => count.duplicate += 1,
                // The only case that needs a copy, and a rare one.
                Meeting::Merged => {
                    kept.to_mut().fill(candidate.reading);
                    count.merged += 1;
                    filled = true;
                }
                Meeting::Conflict => {
                    count.conflict += 1;
                    self.conflicts.push(Conflict {
                        partition: candidate.partition,
                        offset: candidate.offset,
                        meter_key,
                        kept: kept.clone().into_owned(),
                        refused: candidate.reading,
                    });
                }
            }
        }
        match (kept, in_table) {
            (Some(row), None) => self.rows.push((meter_key, row)),
            (Some(row), Some(_)) if filled => self.updates.push((meter_key, row)),
            _ => {}
        }
    }

    /// The meters of which something is written.
    pub(crate) fn meter_keys(&self) -> Vec<i32> {
        let mut keys: Vec<i32> = self.rows.iter().chain(&self.updates).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

// === impl Candidate ===

impl Candidate<'_> {
    const fn key(&self) -> Key {
        (self.meter_key, self.reading.ts)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
