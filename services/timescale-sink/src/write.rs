//! One transaction for all sets of a batch: first the offset rows, then the rows, then the offsets' new values.
//! A twin that holds the same partition waits at the offset row, and then finds it moved: either all of a batch is
//! stored, once, or nothing of it.

pub mod bisect;
pub mod clock;
pub mod copy;
pub mod habits;
pub mod letters;
pub mod meters;
pub mod plan;
pub mod stored;

use std::borrow::Cow;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use wattline_reading::limits::Reason;
use wattline_reading::{Reading, Timestamp, measures};
use wattline_stream::{Blockers, Offsets, Span, Stream};

use crate::batch::{Content, Record, Refused, Set};
use crate::failure::Failure;
use crate::metrics::Way;
use crate::outcome::{self, Counts, Outcome};
use crate::session::{STAGING, Session};
use copy::Row;
use meters::{Meter, Meters};
use plan::{Incoming, Key, Letter, Redelivery, RefusedRecord, Rows, Source};

const BORDER: &str = "SELECT border FROM retention_border";

/// What a writer needs to know to write.
#[derive(Debug)]
pub struct Writing {
    /// This writer's rows of offsets.
    pub offsets: Offsets,
    /// More refused rows in a batch stop the partition.
    pub refused_rows_max: usize,
}

/// A batch that was committed.
#[derive(Debug)]
pub struct Written {
    /// The outcomes of its partitions as they are now.
    pub outcomes: Vec<Outcome>,
    /// Those of the batch alone.
    pub counts: Counts,
    /// How the rows got there.
    pub way: Way,
    /// The oldest arrival among the batch's readings.
    pub oldest_received_at: Option<Timestamp>,
}

/// Records of one set that are written together.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The set's place in the batch.
    pub index: usize,
    /// The set.
    pub set: &'a Set,
    /// Its records, or some of them.
    pub records: &'a [Record],
}

/// What [`write_records`] did.
#[derive(Debug, Default)]
pub struct Stored<'a> {
    /// Rows that are new in the table, in the order of their keys.
    pub new: Vec<Row<'a>>,
    /// Outcomes, one element a set of the batch.
    pub counts: Vec<Counts>,
}

/// Writes the sets in one transaction and commits it. On an error the transaction is still open.
///
/// # Errors
/// What the server says, or [`Failure::Fenced`].
pub async fn write(
    session: &mut Session,
    meters: &mut Meters,
    blockers: &mut Blockers,
    writing: &Writing,
    sets: &[Set],
    way: Way,
) -> Result<Written, Failure> {
    let border = begin(session, blockers, writing, sets).await?;
    let parts: Vec<Part<'_>> =
        sets.iter().enumerate().map(|(index, set)| Part { index, set, records: &set.records }).collect();
    let stored = write_records(session, meters, writing, &parts, border, way).await?;
    let outcomes = finish(session, writing, sets, &stored.counts).await?;
    meters.stored(&stored.new);
    let mut counts = Counts::default();
    stored.counts.iter().for_each(|of_set| counts.add(of_set));
    Ok(Written { outcomes, counts, way, oldest_received_at: oldest_received_at(sets) })
}

/// Begins the transaction: takes the offset rows, and reads the border below which raw rows may be gone.
///
/// # Errors
/// As [`Offsets::lock`].
pub async fn begin(
    session: &mut Session,
    blockers: &mut Blockers,
    writing: &Writing,
    sets: &[Set],
) -> Result<Timestamp, Failure> {
    if sets.iter().any(|set| set.partition.stream == Stream::Readings) {
        session.ensure_staging().await?;
    }
    let border = session.prepared(BORDER).await?;
    session.client().batch_execute("BEGIN").await?;
    let spans: Vec<Span> = sets.iter().map(Set::span).collect();
    let wanted: Vec<_> = sets.iter().map(|set| (set.partition, set.assignment)).collect();
    let lock = writing.offsets.lock(session.client(), session.rows(), &spans);
    blockers.freed(session.backend_pid(), &wanted, lock, wattline_stream::Error::database).await?;
    let border: DateTime<Utc> = session.client().query_one(&border, &[]).await?.try_get("border")?;
    Ok(border.into())
}

/// Ends the transaction: moves the offset rows behind the sets, with the outcomes of their records, and commits.
///
/// # Errors
/// What the server says.
pub async fn finish(
    session: &mut Session,
    writing: &Writing,
    sets: &[Set],
    counts: &[Counts],
) -> Result<Vec<Outcome>, Failure> {
    let spans: Vec<Span> = sets.iter().map(Set::span).collect();
    writing.offsets.advance(session.client(), session.rows(), &spans).await?;
    let outcomes = outcome::add(session, &writing.offsets, &spans, counts).await?;
    session.client().batch_execute("COMMIT").await?;
    Ok(outcomes)
}

/// Writes the rows of some records in the open transaction.
///
/// # Errors
/// What the server says.
pub async fn write_records<'a>(
    session: &mut Session,
    meters: &mut Meters,
    writing: &Writing,
    parts: &[Part<'a>],
    border: Timestamp,
    way: Way,
) -> Result<Stored<'a>, Failure> {
    let sets = parts.iter().map(|part| part.index + 1).max().unwrap_or(0);
    let mut counts = vec![Counts::default(); sets];
    let mut sorted = sort_out(parts, meters, border, way);
    let found = stored::at(session, &sorted.known_instants).await?;
    stored::judge_redeliveries(session, &mut sorted.incoming).await?;
    let rows = plan::plan(sorted.incoming, &found, &mut counts);
    meters::check(session, &rows).await?;
    match way {
        Way::Copy => copy_rows(session, &rows).await?,
        Way::Upsert => upsert(session, &[&rows.new, &rows.filled]).await?,
    }
    letters::insert_conflicts(session, &writing.offsets.topics, &rows.conflicts).await?;
    letters::insert_refused(session, &writing.offsets.topics, &sorted.refused).await?;
    for record in &sorted.refused {
        counts[record.source.set].dead_lettered += 1;
    }
    letters::insert_letters(session, &writing.offsets.topics, &sorted.letters, &mut counts).await?;
    Ok(Stored { new: rows.new, counts })
}

/// The records of a batch, by what must be done with them.
struct Sorted<'a> {
    incoming: Vec<Incoming<'a>>,
    /// Keys that the table may have.
    known_instants: Vec<Key>,
    refused: Vec<RefusedRecord<'a>>,
    letters: Vec<Letter<'a>>,
}

fn sort_out<'a>(parts: &[Part<'a>], meters: &mut Meters, border: Timestamp, way: Way) -> Sorted<'a> {
    let records = parts.iter().map(|part| part.records.len()).sum();
    let mut sorted = Sorted {
        incoming: Vec::with_capacity(records),
        known_instants: Vec::new(),
        refused: Vec::new(),
        letters: Vec::new(),
    };
    for part in parts {
        for record in part.records {
            let source = Source { set: part.index, partition: part.set.partition, offset: record.offset };
            let payload = &part.set.payloads[record.payload.clone()];
            match &record.content {
                Content::Letter(letter) => sorted.letters.push(Letter { source, letter }),
                Content::Refused(refused) => sorted.refused.push(RefusedRecord {
                    source,
                    refused: Cow::Borrowed(refused),
                    payload,
                    received_at: None,
                }),
                Content::Reading(reading) => match accept(reading, meters, border) {
                    Ok(meter) => {
                        if way == Way::Upsert || !meter.is_newer(reading.ts) {
                            sorted.known_instants.push((meter.key, reading.ts));
                        }
                        let redelivery =
                            if plan::may_be_copy(reading) { Redelivery::Possible } else { Redelivery::No };
                        sorted.incoming.push(Incoming { meter_key: meter.key, reading, source, redelivery });
                    }
                    Err((reason, detail)) => {
                        sorted.refused.push(refused_reading(source, reading, payload, reason, detail));
                    }
                },
            }
        }
    }
    sorted
}

fn accept<'m>(
    reading: &Reading,
    meters: &'m mut Meters,
    border: Timestamp,
) -> Result<&'m Meter, (Reason, String)> {
    if reading.ts < border {
        let detail = format!("ts {} is before the border of raw retention, {border}", reading.ts);
        return Err((Reason::TsTooOld, detail));
    }
    meters.get(reading).ok_or_else(|| {
        let detail = format!("the meter {} is not in the allow-list (meters.allow_file)", reading.meter_id);
        (Reason::MeterRefused, detail)
    })
}

/// A reading as a dead letter, whole.
#[must_use]
pub fn refused_reading<'a>(
    source: Source,
    reading: &Reading,
    payload: &'a [u8],
    reason: Reason,
    detail: String,
) -> RefusedRecord<'a> {
    let key = reading.meter_id.clone().into_bytes();
    RefusedRecord {
        source,
        refused: Cow::Owned(Refused { reason, detail, key }),
        payload,
        received_at: Some(reading.received_at),
    }
}

async fn copy_rows(session: &mut Session, rows: &Rows<'_>) -> Result<(), Failure> {
    if !rows.new.is_empty() {
        copy::copy_in(session, &copy::INTO_READING, &[&rows.new]).await?;
    }
    upsert(session, &[&rows.filled]).await
}

/// Rows with all their values as they shall be; those that the table has get what was missing in it.
async fn upsert(session: &mut Session, rows: &[&[Row<'_>]]) -> Result<(), Failure> {
    static UPSERT: LazyLock<String> = LazyLock::new(|| {
        let of_measures: String =
            measures::columns().map(|name| format!("{name} = excluded.{name}, ")).collect();
        format!(
            "INSERT INTO reading SELECT * FROM {STAGING} ON CONFLICT (meter_key, ts) DO UPDATE \
            SET {of_measures}register_epoch = excluded.register_epoch"
        )
    });
    if rows.iter().all(|rows| rows.is_empty()) {
        return Ok(());
    }
    copy::copy_in(session, &copy::INTO_STAGING, rows).await?;
    let statement = session.prepared(&UPSERT).await?;
    session.client().execute(&statement, &[]).await?;
    Ok(())
}

/// The oldest arrival among the readings of the sets.
#[must_use]
pub fn oldest_received_at(sets: &[Set]) -> Option<Timestamp> {
    let records = sets.iter().flat_map(|set| &set.records);
    records
        .filter_map(|record| match &record.content {
            Content::Reading(reading) => Some(reading.received_at),
            Content::Letter(_) | Content::Refused(_) => None,
        })
        .min()
}
