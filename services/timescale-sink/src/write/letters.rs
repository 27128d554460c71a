//! What is put aside, in the same transaction as the rows: conflicts, refused records, and the dead letters that
//! mqtt-ingest wrote. The place in Kafka is the key.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use wattline_reading::{MEASURES, PHASE_MEASURES, Reading, Timestamp};
use wattline_stream::Topics;

use crate::failure::Failure;
use crate::outcome::Counts;
use crate::session::Session;
use crate::write::plan::{Conflict, Letter, RefusedRecord, Source};

const CONFLICT: &str = "INSERT INTO reading_conflict (source_topic, source_partition, source_offset, meter_key, ts, \
        received_at, kept, refused) \
    SELECT t, p, o, m, ts, r, kept::jsonb, refused::jsonb \
    FROM unnest($1::text[], $2::int[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[], \
        $8::text[]) AS c(t, p, o, m, ts, r, kept, refused) ON CONFLICT DO NOTHING";
const LETTER: &str = "INSERT INTO dead_letter (source_topic, source_partition, source_offset, reason, detail, \
        mqtt_topic, route, retained, record_key, payload, received_at, mqtt_broker) \
    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], \
        $8::bool[], $9::bytea[], $10::bytea[], $11::timestamptz[], $12::text[]) ON CONFLICT DO NOTHING \
    RETURNING source_topic, source_partition, source_offset";

/// The columns of table `dead_letter`.
#[derive(Default)]
struct Columns<'a> {
    topics: Vec<&'a str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    reasons: Vec<&'a str>,
    details: Vec<String>,
    mqtt_topics: Vec<Option<String>>,
    routes: Vec<Option<String>>,
    retained: Vec<bool>,
    record_keys: Vec<Option<&'a [u8]>>,
    payloads: Vec<&'a [u8]>,
    received_at: Vec<DateTime<Utc>>,
    brokers: Vec<Option<String>>,
}

/// Puts records aside that contradict the row of their instant, with that row.
///
/// # Errors
/// What the server says.
pub async fn insert_conflicts(
    session: &mut Session,
    topics: &Topics,
    conflicts: &[Conflict<'_>],
) -> Result<(), Failure> {
    if conflicts.is_empty() {
        return Ok(());
    }
    let statement = session.prepared(CONFLICT).await?;
    let (topics, partitions, offsets) = sources(topics, conflicts.iter().map(|conflict| conflict.source));
    let meters: Vec<i32> = conflicts.iter().map(|conflict| conflict.meter_key).collect();
    let times: Vec<DateTime<Utc>> =
        conflicts.iter().map(|conflict| conflict.refused.ts.to_chrono()).collect();
    let received: Vec<DateTime<Utc>> =
        conflicts.iter().map(|conflict| conflict.refused.received_at.to_chrono()).collect();
    let kept: Vec<String> = conflicts.iter().map(|conflict| document(&conflict.kept).to_string()).collect();
    let refused: Vec<String> =
        conflicts.iter().map(|conflict| document(conflict.refused).to_string()).collect();
    session
        .client()
        .execute(&statement, &[&topics, &partitions, &offsets, &meters, &times, &received, &kept, &refused])
        .await?;
    Ok(())
}

/// Puts records of the readings topic aside that can't be stored. Their payload is the record's value, with its key.
///
/// # Errors
/// What the server says.
pub async fn insert_refused(
    session: &mut Session,
    topics: &Topics,
    records: &[RefusedRecord<'_>],
) -> Result<(), Failure> {
    let mut columns = Columns::default();
    for record in records {
        columns.push_source(topics, record.source);
        columns.reasons.push(record.refused.reason.as_str());
        columns.details.push(text(&record.refused.detail));
        columns.mqtt_topics.push(None);
        columns.routes.push(None);
        columns.brokers.push(None);
        columns.retained.push(false);
        columns.record_keys.push(Some(&record.refused.key));
        columns.payloads.push(record.payload);
        columns.received_at.push(record.received_at.unwrap_or_else(Timestamp::now).to_chrono());
    }
    columns.insert(session).await?;
    Ok(())
}

/// Stores dead letters; one that is there already is a duplicate.
///
/// # Errors
/// What the server says.
pub async fn insert_letters(
    session: &mut Session,
    topics: &Topics,
    letters: &[Letter<'_>],
    counts: &mut [Counts],
) -> Result<(), Failure> {
    let mut columns = Columns::default();
    for Letter { source, letter } in letters {
        columns.push_source(topics, *source);
        columns.reasons.push(&letter.reason);
        columns.details.push(text(&letter.detail));
        columns.mqtt_topics.push(Some(text(&letter.mqtt_topic)));
        columns.routes.push(letter.route.as_deref().map(text));
        columns.brokers.push(letter.broker.as_deref().map(text));
        columns.retained.push(letter.retained);
        columns.record_keys.push(None);
        columns.payloads.push(&letter.payload);
        columns.received_at.push(letter.received_at.to_chrono());
    }
    let inserted = columns.insert(session).await?;
    for Letter { source, .. } in letters {
        let place = (source.partition.number, source.offset);
        let count = &mut counts[source.set];
        if inserted.contains(&place) {
            count.stored += 1;
        } else {
            count.duplicate += 1;
        }
    }
    Ok(())
}

// === impl Columns ===

impl<'a> Columns<'a> {
    fn push_source(&mut self, topics: &'a Topics, source: Source) {
        self.topics.push(topics.of(source.partition.stream));
        self.partitions.push(source.partition.number);
        self.offsets.push(source.offset);
    }

    /// Gives the partitions and offsets of those that were not there.
    async fn insert(self, session: &mut Session) -> Result<HashSet<(i32, i64)>, Failure> {
        if self.topics.is_empty() {
            return Ok(HashSet::new());
        }
        let statement = session.prepared(LETTER).await?;
        let rows = session
            .client()
            .query(
                &statement,
                &[
                    &self.topics,
                    &self.partitions,
                    &self.offsets,
                    &self.reasons,
                    &self.details,
                    &self.mqtt_topics,
                    &self.routes,
                    &self.retained,
                    &self.record_keys,
                    &self.payloads,
                    &self.received_at,
                    &self.brokers,
                ],
            )
            .await?;
        let mut inserted = HashSet::with_capacity(rows.len());
        for row in &rows {
            inserted.insert((row.try_get("source_partition")?, row.try_get("source_offset")?));
        }
        Ok(inserted)
    }
}

fn sources(
    topics: &Topics,
    sources: impl Iterator<Item = Source> + Clone,
) -> (Vec<&str>, Vec<i32>, Vec<i64>) {
    (
        sources.clone().map(|source| topics.of(source.partition.stream)).collect(),
        sources.clone().map(|source| source.partition.number).collect(),
        sources.map(|source| source.offset).collect(),
    )
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
