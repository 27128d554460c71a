//! What becomes of each record of a batch: one pure function from the records, and what the table has at their
//! instants, to the rows to write and the counts. One outcome per record.

use std::borrow::Cow;
use std::collections::HashMap;

use wattline_reading::{DeadLetter, Meeting, Reading, Timestamp, TsSource};

use crate::batch::Refused;
use crate::outcome::Counts;
use crate::write::copy::Row;
use wattline_stream::Partition;

/// A row's key.
pub type Key = (i32, Timestamp);

/// A reading of the batch, with its meter's key and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The meter.
    pub meter_key: i32,
    /// The reading.
    pub reading: &'a Reading,
    /// Where it came from.
    pub source: Source,
    /// The broker delivered it again, under a time of arrival, and an equal one came shortly before: it is a copy.
    pub redelivery: Redelivery,
}

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Place of its set in the batch.
    pub set: usize,
    /// The partition.
    pub partition: Partition,
    /// The offset.
    pub offset: i64,
}

/// What is known of a reading that was stamped on arrival and that the broker delivered again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redelivery {
    /// It isn't one.
    #[default]
    No,
    /// It may be a second copy under another time; that can't be told.
    Possible,
    /// It is one.
    Certain,
}

/// A record that contradicts the row of its instant.
#[derive(Clone, Debug)]
pub struct Conflict<'a> {
    /// The meter.
    pub meter_key: i32,
    /// Where the record came from.
    pub source: Source,
    /// The row that stays, as it was then.
    pub kept: Reading,
    /// The record.
    pub refused: &'a Reading,
}

/// A record of the readings topic that can't be stored.
#[derive(Clone, Debug)]
pub struct RefusedRecord<'a> {
    /// Where it came from.
    pub source: Source,
    /// Why.
    pub refused: Cow<'a, Refused>,
    /// Its value.
    pub payload: &'a [u8],
    /// When it arrived, where that is known.
    pub received_at: Option<Timestamp>,
}

/// A record of the dead-letter topic.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Where it came from.
    pub source: Source,
    /// The letter.
    pub letter: &'a DeadLetter,
}

/// What to write.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    /// Instants that the table doesn't have, in the order of the key.
    pub new: Vec<Row<'a>>,
    /// Instants that the table has, with what was missing filled.
    pub filled: Vec<Row<'a>>,
    /// Contradictions.
    pub conflicts: Vec<Conflict<'a>>,
}

/// Decides for all readings of a batch. `stored` has the rows that the table holds at their instants; `counts` has
/// one element a set.
///
/// Records of one instant meet in the order of their offsets, so the outcome does not depend on how records were
/// cut into batches.
pub fn plan<'a>(
    mut incoming: Vec<Incoming<'a>>,
    stored: &HashMap<Key, Reading>,
    counts: &mut [Counts],
) -> Rows<'a> {
    incoming.sort_unstable_by_key(|i| (i.meter_key, i.reading.ts, i.source));
    let mut rows = Rows::default();
    rows.new.reserve(incoming.len());
    for same in incoming.chunk_by(|a, b| (a.meter_key, a.reading.ts) == (b.meter_key, b.reading.ts)) {
        plan_instant(same, stored, counts, &mut rows);
    }
    rows
}

/// Whether a reading that was delivered again is a copy: `window` has the meter's readings of the time before.
/// It is one if an equal one came, and the values changed meanwhile: of a meter that stands still, equal values
/// prove nothing.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    reading: &'a Reading,
    first: Option<Reading>,
    equal: bool,
    changed: bool,
}

// === impl Window ===

impl<'a> Window<'a> {
    /// An empty window before `reading`.
    #[must_use]
    pub const fn new(reading: &'a Reading) -> Self {
        Self { reading, first: None, equal: false, changed: false }
    }

    /// One reading in it.
    pub fn observe(&mut self, seen: &Reading) {
        self.equal |= same_values(seen, self.reading);
        match &self.first {
            None => self.first = Some(seen.clone()),
            Some(first) => self.changed |= !same_values(first, seen),
        }
    }

    /// What it says.
    #[must_use]
    pub const fn verdict(&self) -> Redelivery {
        if self.equal && self.changed { Redelivery::Certain } else { Redelivery::Possible }
    }
}

/// True for readings that may be a copy under another time.
#[must_use]
pub fn may_be_copy(reading: &Reading) -> bool {
    reading.redelivered && reading.ts_source == TsSource::Arrival
}

fn same_values(a: &Reading, b: &Reading) -> bool {
    a.measures == b.measures && a.register_epoch == b.register_epoch
}

fn plan_instant<'a>(
    same: &[Incoming<'a>],
    stored: &HashMap<Key, Reading>,
    counts: &mut [Counts],
    rows: &mut Rows<'a>,
) {
    let meter_key = same[0].meter_key;
    let in_table = stored.get(&(meter_key, same[0].reading.ts));
    let mut kept: Option<Cow<'a, Reading>> = in_table.cloned().map(Cow::Owned);
    let mut filled = false;
    for incoming in same {
        let count = &mut counts[incoming.source.set];
        let Some(kept) = &mut kept else {
            if incoming.redelivery == Redelivery::Certain {
                count.duplicate += 1;
                continue;
            }
            count.stored += 1;
            count.possible_duplicate += i64::from(incoming.redelivery == Redelivery::Possible);
            kept = Some(Cow::Borrowed(incoming.reading));
            continue;
        };
        match kept.meet(incoming.reading) {
            Meeting::Conflict => {
                count.conflict += 1;
                rows.conflicts.push(Conflict {
                    meter_key,
                    source: incoming.source,
                    kept: kept.clone().into_owned(),
                    refused: incoming.reading,
                });
            }
            // The only case that needs a copy, and a rare one.
            Meeting::Merged => {
                kept.to_mut().absorb(incoming.reading);
                count.merged += 1;
                filled = true;
            }
            Meeting::Duplicate => count.duplicate += 1,
        }
    }
    match (kept, in_table) {
        (Some(row), None) => rows.new.push((meter_key, row)),
        (Some(row), Some(_)) if filled => rows.filled.push((meter_key, row)),
        _ => {}
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
