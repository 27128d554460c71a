//! Finds the records that the database refuses for what is in them, dead-letters just these, and writes the rest: in
//! one transaction, with a savepoint for each try, so that what stands before a record is there when it is tried.

use wattline_reading::Timestamp;
use wattline_reading::limits::Reason;
use wattline_service::postgres::describe;
use wattline_stream::Stream;

use crate::batch::Set;
use crate::failure::{Class, Failure};
use crate::metrics::Way;
use crate::outcome::Counts;
use crate::session::Session;
use crate::write::letters::{self, Letter};
use crate::write::plan::Plan;
use crate::write::{Row, Writing};

/// In a small batch too it can't be the records' fault, if more than one in so many is refused, and not just one.
const REFUSED_SHARE: usize = 10;
const KEEP: &str = "RELEASE attempt";
/// The staging table is emptied by the commit, and a bisection writes more than once before that.
const KEEP_READINGS: &str = "RELEASE attempt; TRUNCATE wattline_staging";

impl Writing {
    /// Writes a set that was refused as a whole, in the open transaction.
    ///
    /// # Errors
    /// [`Failure::TooManyRefused`] where it can't be the records' fault; then nothing is written.
    pub(super) async fn bisect<'a>(
        &mut self,
        session: &mut Session,
        set: &'a Set,
        border: Timestamp,
    ) -> Result<Plan<'a>, Failure> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        let mut counts = vec![Counts::default()];
        let mut refused = Vec::new();
        let keep = match set.partition.stream {
            Stream::Readings => KEEP_READINGS,
            Stream::DeadLetters => KEEP,
        };
        let refused_max = self.refused_rows_max.min((set.records.len() / REFUSED_SHARE).max(1));
        // Ranges still to be tried; the first is on top.
        let mut ranges = vec![&set.records[..]];
        while let Some(records) = ranges.pop() {
            session.client().batch_execute("SAVEPOINT attempt").await?;
            match self.store(session, &[(set, records)], border, Way::Bisect).await {
                Ok(plan) => {
                    session.client().batch_execute(keep).await?;
                    rows.extend(plan.rows);
                    counts[0].add(&plan.counts[0]);
                }
                Err(Failure::Database(error)) if Class::of(&error) == Class::Data => {
                    session.client().batch_execute("ROLLBACK TO attempt; RELEASE attempt").await?;
                    if let [record] = records {
                        if refused.len() == refused_max {
                            return Err(Failure::TooManyRefused(refused_max, error));
                        }
                        let reason = Reason::DatabaseRefused.as_str();
                        refused.push(Letter::refused(0, set, record, reason, describe(&error)));
                    } else {
                        let (before, after) = records.split_at(records.len() / 2);
                        ranges.extend([after, before]);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        letters::insert(session, &self.offsets.topics, &refused, &mut counts).await?;
        // Each range is sorted, the whole is not: a meter's newest row may be in any of them.
        rows.sort_unstable_by_key(|(meter_key, row)| (*meter_key, row.ts));
        Ok(Plan { rows, counts, ..Plan::default() })
    }
}
