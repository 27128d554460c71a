//! What is put aside, in the same transaction as the rows: conflicts, and dead letters: what mqtt-ingest wrote as such,
//! and records that can't be stored. The place in Kafka is the key.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use wattline_reading::{DeadLetter, MEASURES, PHASE_MEASURES, Reading, Timestamp};
use wattline_service::postgres::read_rows;
use wattline_service::row;
use wattline_stream::{Partition, Topics};

use crate::batch::{Content, Record, Set};
use crate::failure::Failure;
use crate::outcome::Counts;
use crate::session::Session;

const CONFLICT: &str = include_str!("../sql/conflict.sql");
const LETTER: &str = include_str!("../sql/letter.sql");

/// A record that contradicts the row of its instant.
#[derive(Clone, Debug)]
pub(crate) struct Conflict<'a> {
    /// Where the record came from.
    pub(crate) partition: Partition,
    /// Its offset.
    pub(crate) offset: i64,
    /// The meter.
    pub(crate) meter_key: i32,
    /// The row that stays, as it was then.
    pub(crate) kept: Reading,
    /// The record.
    pub(crate) refused: &'a Reading,
}

/// A row of table `dead_letter`. It has an `mqtt_topic` where it was a record of the dead-letter topic, else the key and
/// the value of a record that can't be stored.
#[derive(Clone, Debug)]
pub(crate) struct Letter<'a> {
    /// Which part of what is written it is of.
    part: usize,
    partition: Partition,
    /// The record's offset.
    pub(crate) offset: i64,
    /// Why, in a word.
    pub(crate) reason: &'a str,
    /// Why, for a person.
    detail: Cow<'a, str>,
    /// The topic that the message was published on.
    pub(crate) mqtt_topic: Option<&'a str>,
    route: Option<&'a str>,
    broker: Option<&'a str>,
    retained: bool,
    /// The key of a record that can't be stored.
    pub(crate) record_key: Option<&'a [u8]>,
    payload: &'a [u8],
    received_at: Timestamp,
}

row! {
    /// Of `letter.sql`.
    struct SourceRow<'row> {
        source_topic: &'row str,
        source_partition: i32,
        source_offset: i64,
    }
}

/// Puts records aside that contradict the row of their instant, with that row.
///
/// # Errors
/// What the server says.
pub(crate) async fn insert_conflicts(
    session: &mut Session,
    topics: &Topics,
    conflicts: &[Conflict<'_>],
) -> Result<(), Failure> {
    if conflicts.is_empty() {
        return Ok(());
    }
    let statement = session.prepared(CONFLICT).await?;
    let of_topics: Vec<&str> = column(conflicts, |conflict| topics.of(conflict.partition.stream));
    let partitions: Vec<i32> = column(conflicts, |conflict| conflict.partition.number);
    let offsets: Vec<i64> = column(conflicts, |conflict| conflict.offset);
    let meters: Vec<i32> = column(conflicts, |conflict| conflict.meter_key);
    let times: Vec<DateTime<Utc>> = column(conflicts, |conflict| conflict.refused.ts.to_chrono());
    let received: Vec<DateTime<Utc>> = column(conflicts, |conflict| conflict.refused.received_at.to_chrono());
    let kept: Vec<String> = column(conflicts, |conflict| document(&conflict.kept).to_string());
    let refused: Vec<String> = column(conflicts, |conflict| document(conflict.refused).to_string());
    session
        .client()
        .execute(
            &statement,
            &[&of_topics, &partitions, &offsets, &meters, &times, &received, &kept, &refused],
        )
        .await?;
    Ok(())
}

/// Stores dead letters, and counts them: one of the dead-letter topic that is there already is a duplicate.
///
/// # Errors
/// What the server says.
pub(crate) async fn insert(
    session: &mut Session,
    topics: &Topics,
    letters: &[Letter<'_>],
    counts: &mut [Counts],
) -> Result<(), Failure> {
    if letters.is_empty() {
        return Ok(());
    }
    let inserted = insert_rows(session, topics, letters).await?;
    for letter in letters {
        let count = &mut counts[letter.part];
        if letter.mqtt_topic.is_none() {
            count.dead_lettered += 1;
        } else if inserted.contains(&(letter.partition, letter.offset)) {
            count.stored += 1;
        } else {
            count.duplicate += 1;
        }
    }
    Ok(())
}

/// Gives the places in Kafka of those that were not there.
async fn insert_rows(
    session: &mut Session,
    topics: &Topics,
    letters: &[Letter<'_>],
) -> Result<HashSet<(Partition, i64)>, Failure> {
    let statement = session.prepared(LETTER).await?;
    let rows = session
        .client()
        .query(
            &statement,
            &[
                &column(letters, |letter| topics.of(letter.partition.stream)),
                &column(letters, |letter| letter.partition.number),
                &column(letters, |letter| letter.offset),
                &column(letters, |letter| letter.reason),
                &column(letters, |letter| text(&letter.detail)),
                &column(letters, |letter| letter.mqtt_topic.map(text)),
                &column(letters, |letter| letter.route.map(text)),
                &column(letters, |letter| letter.retained),
                &column(letters, |letter| letter.record_key),
                &column(letters, |letter| letter.payload),
                &column(letters, |letter| letter.received_at.to_chrono()),
                &column(letters, |letter| letter.broker.map(text)),
            ],
        )
        .await?;
    let mut inserted = HashSet::with_capacity(rows.len());
    for SourceRow { source_topic, source_partition, source_offset } in read_rows(&rows)? {
        let Some(stream) = topics.stream(source_topic) else { continue };
        inserted.insert((Partition { stream, number: source_partition }, source_offset));
    }
    Ok(inserted)
}

// === impl Letter ===

impl<'a> Letter<'a> {
    /// One that mqtt-ingest wrote.
    pub(crate) fn of(part: usize, set: &Set, record: &Record, letter: &'a DeadLetter) -> Self {
        Self {
            part,
            partition: set.partition,
            offset: record.offset,
            reason: &letter.reason,
            detail: Cow::Borrowed(&letter.detail),
            mqtt_topic: Some(&letter.mqtt_topic),
            route: letter.route.as_deref(),
            broker: letter.broker.as_deref(),
            retained: letter.retained,
            record_key: None,
            payload: &letter.payload,
            received_at: letter.received_at,
        }
    }

    /// A record that can't be stored, whole.
    pub(crate) fn refused(
        part: usize,
        set: &'a Set,
        record: &'a Record,
        reason: &'static str,
        detail: impl Into<Cow<'a, str>>,
    ) -> Self {
        let (key, received_at): (&[u8], _) = match &record.content {
            Content::Reading(reading) => (reading.meter_id.as_bytes(), Some(reading.received_at)),
            Content::Letter(letter) => (&[], Some(letter.received_at)),
            Content::Refused(refused) => (&refused.key, None),
        };
        Self {
            part,
            partition: set.partition,
            offset: record.offset,
            reason,
            detail: detail.into(),
            mqtt_topic: None,
            route: None,
            broker: None,
            retained: false,
            record_key: Some(key),
            payload: &set.payloads[record.payload.clone()],
            received_at: received_at.unwrap_or_else(Timestamp::now),
        }
    }
}

fn column<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// PostgreSQL's text has no NUL.
pub(super) fn text(from: &str) -> String {
    from.replace('\0', "\u{fffd}")
}

/// A reading with the names and units of table `reading`; what is missing is left out.
fn document(reading: &Reading) -> Value {
    let phases = &reading.measures.phases;
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    put("ts", reading.ts.to_string().into());
    put("received_at", reading.received_at.to_string().into());
    put("ts_source", reading.ts_source.as_str().into());
    for measure in &MEASURES {
        if let Some(value) = (measure.get)(&reading.measures) {
            put(measure.column, value.into());
        }
    }
    if !phases.is_empty() {
        for measure in &PHASE_MEASURES {
            put(measure.column, phases.iter().map(measure.get).collect::<Vec<_>>().into());
        }
    }
    if let Some(epoch) = reading.register_epoch {
        put("register_epoch", epoch.to_string().into());
    }
    document.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wattline_reading::{Measures, Phase, TsSource};

    use super::*;

    #[test]
    fn a_document_has_the_names_and_units_of_the_table() {
        let reading = Reading {
            received_at: Timestamp::from_micros(1_795_168_800_500_000),
            ts_source: TsSource::Arrival,
            ..Reading::new(
                "m",
                Timestamp::from_micros(1_795_168_800_000_000),
                Measures {
                    energy_import_mwh: Some(1_234_567),
                    phases: vec![Phase { power_w: Some(2.0), ..Phase::default() }],
                    ..Measures::default()
                },
            )
        };
        let expected = json!({
            "ts": "2026-11-20T10:00:00Z",
            "received_at": "2026-11-20T10:00:00.500Z",
            "ts_source": "arrival",
            "energy_import_wh": 1234.567,
            "phase_power_w": [2.0],
            "phase_voltage_v": [null],
            "phase_current_a": [null],
        });
        assert_eq!(document(&reading), expected);
    }

    #[test]
    fn text_has_no_nul() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
    }
}
