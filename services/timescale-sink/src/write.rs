//! One transaction for all sets of a batch: first the offset rows, then the rows, then the offsets' new values.
//! A twin that holds the same partition waits at the offset row, and then finds it moved: either all of a batch is
//! stored, once, or nothing of it.

mod bisect;
mod clock;
mod copies;
mod copy;
mod habits;
mod letters;
pub(crate) mod meters;
mod plan;
mod stored;

use chrono::{DateTime, Utc};
use wattline_reading::limits::Reason;
use wattline_reading::{Reading, Timestamp};
use wattline_stream::{Blockers, Offsets, Span, Stream};

use crate::batch::{Content, Set};
use crate::failure::Failure;
use crate::metrics::Way;
use crate::outcome::{self, Counts, Outcome};
use crate::session::Session;
use copy::Row;
use meters::Meters;
use plan::{Accepted, Part, Plan};

const BORDER: &str = include_str!("sql/retention_border.sql");

/// What one writer writes with; the connection is passed to it, since it may be another one the next time.
#[derive(Debug)]
pub(crate) struct Writing {
    /// This writer's rows of offsets.
    pub(crate) offsets: Offsets,
    /// Ends whoever keeps an offset row from it.
    pub(crate) blockers: Blockers,
    /// What it knows of meters.
    pub(crate) meters: Meters,
    /// More refused rows in a batch stop the partition.
    pub(crate) refused_rows_max: usize,
}

/// A batch that was committed.
#[derive(Debug)]
pub(crate) struct Written {
    /// The outcomes of its partitions as they are now.
    pub(crate) outcomes: Vec<Outcome>,
    /// Those of the batch alone.
    pub(crate) counts: Counts,
    /// The oldest arrival among the batch's readings.
    pub(crate) oldest_received_at: Option<Timestamp>,
}

impl Writing {
    /// Writes the sets in one transaction and commits it. On an error the transaction is still open.
    ///
    /// # Errors
    /// What the server says, [`Failure::Fenced`], or [`Failure::TooManyRefused`] where records
    /// can't be at fault.
    pub(crate) async fn write(
        &mut self,
        session: &mut Session,
        sets: &[Set],
        way: Way,
    ) -> Result<Written, Failure> {
        self.meters.resolve(session, sets).await?;
        let border = self.begin(session, sets).await?;
        let Plan { rows, mut counts, .. } = match (way, sets) {
            (Way::Bisect, [set]) => self.bisect(session, set, border).await?,
            _ => {
                let parts: Vec<Part<'_>> = sets.iter().map(|set| (set, &set.records[..])).collect();
                self.store(session, &parts, border, way).await?
            }
        };
        for (counts, set) in counts.iter_mut().zip(sets) {
            counts.absent = set.absent();
        }
        let outcomes = self.finish(session, sets, &counts).await?;
        self.meters.stored(&rows);
        let total = counts.iter().fold(Counts::default(), Counts::plus);
        Ok(Written { outcomes, counts: total, oldest_received_at: oldest_received_at(sets) })
    }

    /// Begins the transaction: takes the offset rows, and reads the border below which raw rows may be gone.
    async fn begin(&mut self, session: &mut Session, sets: &[Set]) -> Result<Timestamp, Failure> {
        if sets.iter().any(|set| set.partition.stream == Stream::Readings) {
            session.ensure_staging().await?;
        }
        let border = session.prepared(BORDER).await?;
        session.client().batch_execute("BEGIN").await?;
        let spans: Vec<Span> = sets.iter().map(Set::span).collect();
        let wanted: Vec<_> = sets.iter().map(|set| (set.partition, set.assignment)).collect();
        let lock = self.offsets.lock(session.client(), session.rows(), &spans);
        self.blockers.freed(session.backend_pid(), &wanted, lock, wattline_stream::Error::database).await?;
        let border: DateTime<Utc> = session.client().query_one(&border, &[]).await?.try_get("border")?;
        Ok(border.into())
    }

    /// Writes some records in the open transaction; gives what was written of them.
    async fn store<'a>(
        &mut self,
        session: &mut Session,
        parts: &[Part<'a>],
        border: Timestamp,
        way: Way,
    ) -> Result<Plan<'a>, Failure> {
        let mut plan = Plan::of(parts, |reading| accept(&mut self.meters, reading, border, way));
        let found = stored::at(session, &plan.instants()).await?;
        copies::judge(session, &mut plan.open).await?;
        plan.decide(&found);
        stored::check_registered(session, &plan.meter_keys()).await?;
        match way {
            Way::Copy => {
                copy::insert(session, &plan.rows).await?;
                copy::upsert(session, &[&plan.updates]).await?;
            }
            Way::Upsert | Way::Bisect => copy::upsert(session, &[&plan.rows, &plan.updates]).await?,
        }
        letters::insert_conflicts(session, &self.offsets.topics, &plan.conflicts).await?;
        letters::insert(session, &self.offsets.topics, &plan.letters, &mut plan.counts).await?;
        Ok(plan)
    }

    /// Ends the transaction: moves the offset rows behind the sets, with the outcomes of their records, and commits.
    async fn finish(
        &self,
        session: &mut Session,
        sets: &[Set],
        counts: &[Counts],
    ) -> Result<Vec<Outcome>, Failure> {
        let spans: Vec<Span> = sets.iter().map(Set::span).collect();
        self.offsets.advance(session.client(), session.rows(), &spans).await?;
        let outcomes = outcome::add(session, &self.offsets, &spans, counts).await?;
        session.client().batch_execute("COMMIT").await?;
        Ok(outcomes)
    }
}

fn accept(
    meters: &mut Meters,
    reading: &Reading,
    border: Timestamp,
    way: Way,
) -> Result<Accepted, (Reason, String)> {
    if reading.ts < border {
        let detail = format!("ts {} is before the border of raw retention, {border}", reading.ts);
        return Err((Reason::TsTooOld, detail));
    }
    let meter = meters.get(reading)?;
    Ok(Accepted { meter_key: meter.key, may_be_known: way != Way::Copy || !meter.is_newer(reading.ts) })
}

fn oldest_received_at(sets: &[Set]) -> Option<Timestamp> {
    let records = sets.iter().flat_map(|set| &set.records);
    records
        .filter_map(|record| match &record.content {
            Content::Reading(reading) => Some(reading.received_at),
            Content::Letter(_) | Content::Refused(_) => None,
        })
        .min()
}
