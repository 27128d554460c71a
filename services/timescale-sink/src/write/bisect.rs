//! Finds the records that the database refuses for what is in them, dead-letters just these, and writes the rest: in
//! one transaction, with a savepoint for each try, so that what stands before a record is there when it is tried.

use wattline_reading::limits::Reason;
use wattline_service::postgres::describe;

use crate::batch::{Content, Record, Refused, Set};
use crate::failure::{Class, Failure};
use crate::metrics::Way;
use crate::outcome::Counts;
use crate::session::{STAGING, Session};
use crate::write::letters;
use crate::write::meters::Meters;
use crate::write::plan::{RefusedRecord, Source};
use crate::write::{self, Part, Writing, Written};
use wattline_stream::{Blockers, Stream};

/// Writes one set that was refused as a whole.
///
/// # Errors
/// [`Failure::TooManyRefused`] where it can't be the records' fault; then nothing is written.
pub async fn write(
    session: &mut Session,
    meters: &mut Meters,
    blockers: &mut Blockers,
    writing: &Writing,
    set: &Set,
) -> Result<Written, Failure> {
    let sets = std::slice::from_ref(set);
    let border = write::begin(session, blockers, writing, sets).await?;
    let mut counts = Counts::default();
    let mut new = Vec::new();
    let mut refused: Vec<RefusedRecord<'_>> = Vec::new();
    // The staging table is emptied by the commit, and a bisection writes more than once before that.
    let keep = match set.partition.stream {
        Stream::Readings => format!("RELEASE attempt; TRUNCATE {STAGING}"),
        Stream::DeadLetters => "RELEASE attempt".to_owned(),
    };
    // Ranges still to be tried; the first is on top.
    let mut ranges = vec![&set.records[..]];
    while let Some(records) = ranges.pop() {
        session.client().batch_execute("SAVEPOINT attempt").await?;
        let part = Part { index: 0, set, records };
        match write::write_records(session, meters, writing, &[part], border, Way::Upsert).await {
            Ok(stored) => {
                session.client().batch_execute(&keep).await?;
                new.extend(stored.new);
                stored.counts.iter().for_each(|more| counts.add(more));
            }
            Err(Failure::Database(error)) if Class::of(&error) == Class::Data => {
                session.client().batch_execute("ROLLBACK TO attempt; RELEASE attempt").await?;
                if let [record] = records {
                    if refused.len() == writing.refused_rows_max {
                        return Err(Failure::TooManyRefused(writing.refused_rows_max, error));
                    }
                    refused.push(refuse(set, record, describe(&error)));
                } else {
                    let (before, after) = records.split_at(records.len() / 2);
                    ranges.extend([after, before]);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    letters::insert_refused(session, &writing.offsets.topics, &refused).await?;
    counts.dead_lettered += i64::try_from(refused.len()).unwrap_or(i64::MAX);
    let outcomes = write::finish(session, writing, sets, &[counts]).await?;
    // Each range is sorted, the whole is not: a meter's newest row may be in any of them.
    new.sort_unstable_by_key(|(meter_key, row)| (*meter_key, row.ts));
    meters.stored(&new);
    Ok(Written { outcomes, counts, way: Way::Upsert, oldest_received_at: write::oldest_received_at(sets) })
}

fn refuse<'a>(set: &'a Set, record: &'a Record, detail: String) -> RefusedRecord<'a> {
    let source = Source { set: 0, partition: set.partition, offset: record.offset };
    let payload = &set.payloads[record.payload.clone()];
    let reason = Reason::DatabaseRefused;
    let (key, received_at) = match &record.content {
        Content::Reading(reading) => return write::refused_reading(source, reading, payload, reason, detail),
        Content::Letter(letter) => (Vec::new(), Some(letter.received_at)),
        Content::Refused(refused) => (refused.key.clone(), None),
    };
    RefusedRecord {
        source,
        refused: std::borrow::Cow::Owned(Refused { reason, detail, key }),
        payload,
        received_at,
    }
}
