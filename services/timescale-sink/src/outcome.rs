//! Table `sink_outcome`: what became of every record of a partition, written in the transaction that moves its offset.
//! The table checks that the outcomes add up.

use tokio_postgres::{Error, Row};
use wattline_stream::{Offsets, Partition, Span, Taken};

use crate::session::Session;

const BEGIN: &str = include_str!("sql/outcome_begin.sql");
const ADD: &str = include_str!("sql/outcome_add.sql");

/// How many records of a set had which outcome; columns of the table, explained there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) stored: i64,
    pub(crate) merged: i64,
    pub(crate) duplicate: i64,
    pub(crate) conflict: i64,
    pub(crate) dead_lettered: i64,
    pub(crate) absent: i64,
    pub(crate) possible_duplicate: i64,
}

/// A partition's row, as a transaction left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The partition.
    pub(crate) partition: Partition,
    /// Where the account begins.
    pub(crate) first_offset: i64,
    /// The next record to be stored.
    pub(crate) next_offset: i64,
    /// Outcomes since the first offset.
    pub(crate) counts: Counts,
    /// Records that Kafka no longer had.
    pub(crate) lost: i64,
    /// Records that had an outcome and that Kafka then lost itself: their offsets were given a second time.
    pub(crate) retracted: i64,
}

/// Accounts for a partition that was taken in the open transaction, and for what was lost of it.
///
/// # Errors
/// What the server says.
pub(crate) async fn begin(
    session: &mut Session,
    offsets: &Offsets,
    taken: &Taken,
) -> Result<Option<Outcome>, Error> {
    let statement = session.prepared(BEGIN).await?;
    let topic = offsets.topics.of(taken.partition.stream);
    let row = session.client().query_one(&statement, &[&topic, &taken.partition.number, &taken.lost]).await?;
    Outcome::from_row(offsets, &row)
}

/// Adds the outcomes of a batch in the open transaction, once its offsets have moved.
///
/// # Errors
/// What the server says: 23514 where the outcomes aren't as many as the records.
pub(crate) async fn add(
    session: &mut Session,
    offsets: &Offsets,
    spans: &[Span],
    counts: &[Counts],
) -> Result<Vec<Outcome>, Error> {
    let statement = session.prepared(ADD).await?;
    let (topics, numbers) = offsets.columns(spans);
    let column = |of: fn(&Counts) -> i64| -> Vec<i64> { counts.iter().map(of).collect() };
    let rows = session
        .client()
        .query(
            &statement,
            &[
                &topics,
                &numbers,
                &column(|counts| counts.stored),
                &column(|counts| counts.merged),
                &column(|counts| counts.duplicate),
                &column(|counts| counts.conflict),
                &column(|counts| counts.dead_lettered),
                &column(|counts| counts.absent),
                &column(|counts| counts.possible_duplicate),
            ],
        )
        .await?;
    rows.iter().filter_map(|row| Outcome::from_row(offsets, row).transpose()).collect()
}

// === impl Counts ===

impl Counts {
    /// Adds those of more records.
    pub(crate) const fn add(&mut self, more: &Self) {
        self.stored += more.stored;
        self.merged += more.merged;
        self.duplicate += more.duplicate;
        self.conflict += more.conflict;
        self.dead_lettered += more.dead_lettered;
        self.absent += more.absent;
        self.possible_duplicate += more.possible_duplicate;
    }

    /// The sum.
    pub(crate) fn plus(mut self, more: &Self) -> Self {
        self.add(more);
        self
    }
}

// === impl Outcome ===

impl Outcome {
    fn from_row(offsets: &Offsets, row: &Row) -> Result<Option<Self>, Error> {
        let Some(partition) = offsets.partition(row)? else { return Ok(None) };
        Ok(Some(Self {
            partition,
            first_offset: row.try_get("first_offset")?,
            next_offset: row.try_get("next_offset")?,
            counts: Counts {
                stored: row.try_get("stored")?,
                merged: row.try_get("merged")?,
                duplicate: row.try_get("duplicate")?,
                conflict: row.try_get("conflict")?,
                dead_lettered: row.try_get("dead_lettered")?,
                absent: row.try_get("absent")?,
                possible_duplicate: row.try_get("possible_duplicate")?,
            },
            lost: row.try_get("lost")?,
            retracted: row.try_get("retracted")?,
        }))
    }
}
